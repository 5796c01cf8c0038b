-- An action that is about signing in, whatever its service calls it: user.login, user.login_failed, LOGIN_ERROR,
-- ConsoleLogin, session.sign_in, but not key.signing or user.logout. Column: action.
action ~* 'log[._ -]?(in|on)(?![a-z]*ing)|sign[._ -]?(in|on)(?!g)|authenticat(e|ion)'
