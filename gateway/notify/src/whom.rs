//! Whom a message goes to.

use people::Right;
use registry::{Channel, Person, Recipient};

/// Returns who is told of an alarm: by e-mail everyone who may answer alarms, wants to be woken and
/// has an address; and the webhook, always. A channel that is not configured tells nobody.
pub fn recipients(people: &[Person], email: bool, webhook: Option<&str>) -> Vec<Recipient> {
    let awake = people.iter().filter(|_| email).filter(|person| {
        person.role.may(Right::AnswerAlarms)
            && person.contact.wakes
            && person.contact.email.is_some()
    });
    let mails =
        awake.map(|person| Recipient { channel: Channel::Email, name: person.user.to_string() });
    let hooks = webhook.map(|host| Recipient { channel: Channel::Webhook, name: host.to_owned() });
    mails.chain(hooks).collect()
}

#[cfg(test)]
mod tests {
    use people::{Contact, EmailAddress, Language, Role, UserName};

    use super::*;

    fn person(name: &str, role: Role, email: bool, wakes: bool) -> Person {
        let email = email.then(|| EmailAddress::new("li@example.com").unwrap());
        let contact = Contact { email, language: Language::Zh, wakes };
        Person { user: UserName::new(name).unwrap(), role, contact }
    }

    #[test]
    fn those_are_woken_who_may_answer_want_it_and_can_be_reached() {
        let people = [
            person("technician", Role::Technician, true, true),
            person("grower", Role::Grower, true, true),
            person("off duty", Role::Technician, true, false),
            person("no address", Role::Admin, false, true),
            person("viewer", Role::Viewer, true, true),
            person("researcher", Role::Researcher, true, true),
        ];
        let names = |email, webhook| {
            let told = recipients(&people, email, webhook);
            told.into_iter().map(|it| it.name).collect::<Vec<_>>()
        };
        assert_eq!(names(true, Some("hook.example")), ["technician", "grower", "hook.example"]);
        assert_eq!(names(false, Some("hook.example")), ["hook.example"]);
        assert!(names(false, None).is_empty());
    }
}
