-- An action that takes something away: model.deleted, s3:DeleteObject, table.dropped, user.purge. Column: action.
action ~* '(?<!un)delet|remov|destroy|purg|eras|wiped?(?![a-z])|dropped|truncat'
