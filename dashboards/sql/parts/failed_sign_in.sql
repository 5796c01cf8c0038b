-- An attempt to sign in that failed. Columns: action, outcome.
({{sign_in}} AND (outcome = 'failure' OR action ~* 'fail|error'))
