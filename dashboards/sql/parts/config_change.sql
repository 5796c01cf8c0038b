-- An action that changes settings: config.changed, PutBucketPolicy, configmaps.update, feature_flag.enabled.
-- Column: action.
(action ~* 'config|setting|preference|policy|policies|feature[._ -]?flag|parameter' AND {{change_verb}})
