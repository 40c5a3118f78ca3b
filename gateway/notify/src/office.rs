//! The channels that are configured, and where the links of messages lead.

use measure::Timestamp;
use people::UserName;
use registry::{Channel, Person};

use crate::body::test_body;
use crate::{Email, Failure, Letter, Webhook, compose_test};

/// The channels that are configured.
#[derive(Clone)]
pub struct Office {
    /// E-mail.
    pub email: Option<Email>,
    /// The webhook.
    pub webhook: Option<Webhook>,
    /// Where the dashboard is for who reads a message; without a slash at its end.
    pub public_url: String,
}

/// What became of a test message on one channel.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// The channel.
    pub channel: Channel,
    /// To whom.
    pub to: String,
    /// What became of it.
    pub outcome: Result<(), Failure>,
}

impl Office {
    /// Returns the server of a channel, where it is configured.
    pub fn server(&self, channel: Channel) -> Option<String> {
        match channel {
            Channel::Email => self.email.as_ref().map(|email| email.server().to_owned()),
            Channel::Webhook => self.webhook.as_ref().map(Webhook::server),
        }
    }

    /// Sends a test message to a person and to the webhook, once, and says what became of it.
    /// `message` is what the message carries, of letters and digits.
    pub async fn test(
        &self,
        person: Option<&Person>,
        message: &str,
        wall: Timestamp,
    ) -> Vec<TestResult> {
        let email = async {
            let (email, person) = (self.email.as_ref()?, person?);
            let to = person.contact.email.as_ref()?;
            let (subject, text) = compose_test(person.contact.language, &self.public_url);
            let letter = Letter {
                message: message.to_owned(),
                thread: None,
                subject,
                text,
                made: wall,
                is_urgent: false,
            };
            let name = UserName::to_string(&person.user);
            let outcome = email.send(to, &letter).await;
            Some(TestResult { channel: Channel::Email, to: name, outcome })
        };
        let webhook = async {
            let webhook = self.webhook.as_ref()?;
            let body = test_body(wall, &self.public_url);
            let outcome = webhook.send(message, wall, &body).await;
            Some(TestResult { channel: Channel::Webhook, to: webhook.host().to_owned(), outcome })
        };
        let (email, webhook) = futures_util::join!(email, webhook);
        email.into_iter().chain(webhook).collect()
    }
}
