-- An action that shows a secret: secret.viewed, secret_view, GetSecretValue, credential.exported. Column: action.
(action ~* 'secret|credential|private[._ -]?key|password'
 AND action ~* 'view|read|(^|[^a-z])get|retriev|reveal|access|show|download|export|decrypt|copied')
