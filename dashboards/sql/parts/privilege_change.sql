-- An action that changes what somebody may do: role.granted, AttachRolePolicy, group_member.added, clusterroles.patch;
-- or lets somebody act as somebody else. Column: action.
((action ~* 'role|permission|privileg|entitlement|acl(?![a-z])|group|membership|policy|scope' AND {{change_verb}})
 OR action ~* 'impersonat(?!ion.(end|stop))|sudo|elevat|assume')
