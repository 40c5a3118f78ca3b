//! A notice about the gateway itself: its disk is full, and has room again. It is about no alarm, so
//! that it can be told when nothing can be written.

use measure::Timestamp;
use people::Language;
use registry::{Channel, Person, Recipient};
use serde_json::{Value, json};

use crate::body::rfc3339;
use crate::{Failure, Letter, Office, recipients};

/// What is told of the gateway itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The disk is full: readings wait on their nodes, alarms and answers still work.
    DiskFull,
    /// There is room again.
    DiskHasRoom,
}

impl Notice {
    /// Returns the `type` of the webhook's body.
    const fn kind(self) -> &'static str {
        match self {
            Self::DiskFull => "gateway.disk_full",
            Self::DiskHasRoom => "gateway.disk_has_room",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::DiskFull => "[严重/Critical] 网关磁盘已满 · The gateway's disk is full",
            Self::DiskHasRoom => {
                "[恢复/Returned] 网关磁盘又有空间 · The gateway's disk has room again"
            }
        }
    }

    const fn text(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::DiskFull, Language::Zh) => {
                "网关的磁盘已满。新读数暂存在各节点上,没有丢失;报警、确认和记录仍在工作。\n\n\
                 先看什么:是什么占满了磁盘(日志、备份、其他程序)。\n\
                 怎么处理:腾出至少 32 MiB;之后读数自动继续,无需重启。\n"
            }
            (Self::DiskFull, Language::En) => {
                "The gateway's disk is full. New readings wait on their nodes and are not lost; \
                 alarms, answers and the record still work.\n\n\
                 What to check: what has filled the disk (logs, backups, other programs).\n\
                 What to do: make at least 32 MiB of room; readings then go on by themselves.\n"
            }
            (Self::DiskHasRoom, Language::Zh) => {
                "网关的磁盘又有空间,读数继续写入,节点上暂存的也会补上。无需处理。\n"
            }
            (Self::DiskHasRoom, Language::En) => {
                "The gateway's disk has room again. Readings are written, and those that waited on \
                 nodes follow. There is nothing to do.\n"
            }
        }
    }
}

impl Office {
    /// Returns who is told of a notice: whoever is told of alarms.
    pub fn told(&self, people: &[Person]) -> Vec<Recipient> {
        let host = self.webhook.as_ref().map(|webhook| webhook.host().to_owned());
        recipients(people, self.email.is_some(), host.as_deref())
    }

    /// Tells one recipient, once. `message` is what every repeat carries, of letters and digits.
    ///
    /// # Errors
    /// Where the other side did not take it, or the recipient is none of `people` any more.
    pub async fn tell(
        &self,
        notice: Notice,
        to: &Recipient,
        people: &[Person],
        (message, made): (&str, Timestamp),
    ) -> Result<(), Failure> {
        let gone = || Failure::permanent("the recipient can't be reached any more");
        match to.channel {
            Channel::Webhook => {
                let webhook = self.webhook.as_ref().ok_or_else(gone)?;
                webhook.send(message, made, &body(notice, made, &self.public_url)).await
            }
            Channel::Email => {
                let person = people.iter().find(|person| person.user.to_string() == to.name);
                let contact = person.map(|person| &person.contact).ok_or_else(gone)?;
                let address = contact.email.as_ref().ok_or_else(gone)?;
                let email = self.email.as_ref().ok_or_else(gone)?;
                email.send(address, &self.letter(notice, contact.language, message, made)).await
            }
        }
    }

    fn letter(&self, notice: Notice, language: Language, message: &str, made: Timestamp) -> Letter {
        let (zh, en) = (notice.text(Language::Zh), notice.text(Language::En));
        let (first, second) = match language {
            Language::Zh => (zh, en),
            Language::En => (en, zh),
        };
        Letter {
            message: message.to_owned(),
            thread: None,
            subject: notice.subject().to_owned(),
            text: format!("{first}\n{}\n\n{second}", self.public_url),
            made,
            is_urgent: notice == Notice::DiskFull,
        }
    }
}

fn body(notice: Notice, made: Timestamp, public_url: &str) -> Value {
    json!({
        "type": notice.kind(),
        "timestamp": rfc3339(made),
        "data": {
            "text": { "zh": notice.text(Language::Zh), "en": notice.text(Language::En) },
            "link": public_url,
        },
    })
}
