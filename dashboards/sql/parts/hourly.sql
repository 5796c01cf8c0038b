-- Whether audit.volume_hours answers: a range over four days, where no chart has a finer step, and no choice of country,
-- which it does not have. A constant.
({{long}} AND $__unixEpochTo() - $__unixEpochFrom() > 345600 AND '__all__' IN ($country))
