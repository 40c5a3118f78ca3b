//! Roles and their rights. This table is the whole of it: a right that a role doesn't name, it
//! lacks.
//!
//! | role       | read | answer alarms | run nursery | export | curate germplasm | manage nodes | manage people |
//! |------------|------|---------------|-------------|--------|------------------|--------------|---------------|
//! | viewer     | yes  |               |             |        |                  |              |               |
//! | technician | yes  | yes           |             |        |                  | yes          |               |
//! | grower     | yes  | yes           | yes         | yes    | yes              | yes          |               |
//! | researcher | yes  |               |             | yes    | yes              |              |               |
//! | admin      | yes  | yes           | yes         | yes    | yes              | yes          | yes           |

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a person or a program may be in the nursery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything that is not about people.
    Viewer,
    /// Answers alarms and mounts nodes.
    Technician,
    /// Runs the nursery.
    Grower,
    /// Reads, exports and curates germplasm.
    Researcher,
    /// May do everything.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::Technician, Self::Grower, Self::Researcher, Self::Admin];

    /// Returns the name used in files, commands and the API, such as `grower`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Technician => "technician",
            Self::Grower => "grower",
            Self::Researcher => "researcher",
            Self::Admin => "admin",
        }
    }

    /// Returns the rights of the role.
    pub const fn rights(self) -> &'static [Right] {
        match self {
            Self::Viewer => &[Right::Read],
            Self::Technician => &[Right::Read, Right::AnswerAlarms, Right::ManageNodes],
            Self::Grower => &[
                Right::Read,
                Right::AnswerAlarms,
                Right::RunNursery,
                Right::Export,
                Right::CurateGermplasm,
                Right::ManageNodes,
            ],
            Self::Researcher => &[Right::Read, Right::Export, Right::CurateGermplasm],
            Self::Admin => &Right::ALL,
        }
    }

    /// Returns whether the role has `right`.
    pub fn may(self, right: Right) -> bool {
        self.rights().contains(&right)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or_else(|| UnknownRole(name.into()))
    }
}

/// A name that is no role's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role; roles are viewer, technician, grower, researcher, admin")]
pub struct UnknownRole(pub String);

/// Something that a role may or may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Read series, alarms, zones and nodes.
    Read,
    /// Acknowledge and comment on alarms.
    AnswerAlarms,
    /// Change zones, crops, stages and limits.
    RunNursery,
    /// Export data.
    Export,
    /// Import and change accessions.
    CurateGermplasm,
    /// Add nodes.
    ManageNodes,
    /// Add users and tokens.
    ManagePeople,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::AnswerAlarms,
        Self::RunNursery,
        Self::Export,
        Self::CurateGermplasm,
        Self::ManageNodes,
        Self::ManagePeople,
    ];

    /// Returns the name used in the API, such as `answer_alarms`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::AnswerAlarms => "answer_alarms",
            Self::RunNursery => "run_nursery",
            Self::Export => "export",
            Self::CurateGermplasm => "curate_germplasm",
            Self::ManageNodes => "manage_nodes",
            Self::ManagePeople => "manage_people",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_role() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(UnknownRole("root".into())));
    }

    #[test]
    fn everybody_reads_and_only_an_admin_manages_people() {
        for role in Role::ALL {
            assert!(role.may(Right::Read));
            assert_eq!(role.may(Right::ManagePeople), role == Role::Admin);
        }
    }

    #[test]
    fn the_table_in_the_documentation_is_the_table_in_the_code() {
        let rows = include_str!("role.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
        let mut seen = 0;
        for row in rows {
            let mut cells = row.split('|').map(str::trim);
            let Some(Ok(role)) = cells.next().map(str::parse::<Role>) else { continue };
            for (right, cell) in Right::ALL.into_iter().zip(cells) {
                assert_eq!(role.may(right), cell == "yes", "{role} {right}");
            }
            seen += 1;
        }
        assert_eq!(seen, Role::ALL.len());
    }
}
