//! The words of other rooms in the API's own types.

use crate::types;

impl From<nursery::Severity> for types::Severity {
    fn from(severity: nursery::Severity) -> Self {
        match severity {
            nursery::Severity::Critical => Self::Critical,
            nursery::Severity::High => Self::High,
            nursery::Severity::Medium => Self::Medium,
            nursery::Severity::Low => Self::Low,
        }
    }
}

impl From<nursery::Side> for types::Side {
    fn from(side: nursery::Side) -> Self {
        match side {
            nursery::Side::High => Self::High,
            nursery::Side::Low => Self::Low,
        }
    }
}

impl From<alarms::InputState> for types::InputState {
    fn from(input: alarms::InputState) -> Self {
        match input {
            alarms::InputState::Good => Self::Good,
            alarms::InputState::Uncertain => Self::Uncertain,
            alarms::InputState::Stale => Self::Stale,
            alarms::InputState::Fault => Self::Fault,
        }
    }
}

impl From<alarms::RuleKind> for types::AlarmKind {
    fn from(kind: alarms::RuleKind) -> Self {
        match kind {
            alarms::RuleKind::Limit => Self::Limit,
            alarms::RuleKind::Stale => Self::Stale,
            alarms::RuleKind::Fault => Self::Fault,
        }
    }
}

impl From<alarms::Kind> for types::AlarmEventKind {
    fn from(kind: alarms::Kind) -> Self {
        match kind {
            alarms::Kind::Raised => Self::Raised,
            alarms::Kind::Reopened => Self::Reopened,
            alarms::Kind::Rose | alarms::Kind::Fell => Self::Changed,
            alarms::Kind::Returned => Self::Returned,
            alarms::Kind::Acknowledged => Self::Acknowledged,
            alarms::Kind::Commented => Self::Commented,
            alarms::Kind::WentStale => Self::InputLost,
            alarms::Kind::Refreshed => Self::InputRestored,
            alarms::Kind::WentLive => Self::WentLive,
            alarms::Kind::RuleChanged => Self::RuleChanged,
            alarms::Kind::Shelved => Self::Shelved,
            alarms::Kind::Unshelved => Self::Unshelved,
            alarms::Kind::Superseded | alarms::Kind::Withdrawn => Self::Closed,
        }
    }
}

impl From<people::Role> for types::Role {
    fn from(role: people::Role) -> Self {
        match role {
            people::Role::Viewer => Self::Viewer,
            people::Role::Technician => Self::Technician,
            people::Role::Grower => Self::Grower,
            people::Role::Researcher => Self::Researcher,
            people::Role::Admin => Self::Admin,
        }
    }
}

impl From<types::Role> for people::Role {
    fn from(role: types::Role) -> Self {
        match role {
            types::Role::Viewer => Self::Viewer,
            types::Role::Technician => Self::Technician,
            types::Role::Grower => Self::Grower,
            types::Role::Researcher => Self::Researcher,
            types::Role::Admin => Self::Admin,
        }
    }
}

impl From<people::Right> for types::Right {
    fn from(right: people::Right) -> Self {
        match right {
            people::Right::Read => Self::Read,
            people::Right::AnswerAlarms => Self::AnswerAlarms,
            people::Right::RunNursery => Self::RunNursery,
            people::Right::Export => Self::Export,
            people::Right::CurateGermplasm => Self::CurateGermplasm,
            people::Right::ManageNodes => Self::ManageNodes,
            people::Right::ManagePeople => Self::ManagePeople,
        }
    }
}
