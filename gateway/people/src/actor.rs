//! Who did something, as the record of changes names it.

use core::fmt;
use core::str::FromStr;

use crate::{NameError, UserName};

/// Who did something. Prints as `user:NAME`, `token:NAME`, `command-line` or `gateway`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person who is signed in.
    User(UserName),
    /// A program with a bearer token.
    Token(UserName),
    /// Whoever runs commands on the gateway's own machine.
    CommandLine,
    /// The gateway itself, by a rule.
    Gateway,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Token(name) => write!(f, "token:{name}"),
            Self::CommandLine => f.write_str("command-line"),
            Self::Gateway => f.write_str("gateway"),
        }
    }
}

impl FromStr for Actor {
    type Err = UnknownActor;

    fn from_str(text: &str) -> Result<Self, UnknownActor> {
        match text.split_once(':') {
            Some(("user", name)) => Ok(Self::User(UserName::new(name)?)),
            Some(("token", name)) => Ok(Self::Token(UserName::new(name)?)),
            None if text == "command-line" => Ok(Self::CommandLine),
            None if text == "gateway" => Ok(Self::Gateway),
            _ => Err(UnknownActor::Kind),
        }
    }
}

/// Why a text names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownActor {
    /// It is none of the four kinds.
    #[error("expected `user:NAME`, `token:NAME`, `command-line` or `gateway`")]
    Kind,
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_reads_back_as_written() {
        let name = UserName::new("李雷: 技术员").unwrap();
        for actor in
            [Actor::User(name.clone()), Actor::Token(name), Actor::CommandLine, Actor::Gateway]
        {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        assert_eq!("root".parse::<Actor>(), Err(UnknownActor::Kind));
    }
}
