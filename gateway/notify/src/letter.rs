//! A message in words: subject and text of an e-mail, in the reader's language first.

use alarms::{Episode, Kind, RuleKind, Side, Transition};
use measure::Timestamp;
use people::Language;

use crate::words::{number, severity_name};
use crate::{Place, advice, quantity_name, unit_shown};

/// An e-mail to one person, still without its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What every repeat carries; of letters and digits.
    pub message: String,
    /// The first message about the same alarm to the same person.
    pub thread: Option<String>,
    /// One line, in both languages.
    pub subject: String,
    /// Plain text, in both languages.
    pub text: String,
    /// When it was made, wall time: repeats carry the same.
    pub made: Timestamp,
    /// Whether it tells of something that wants an answer.
    pub is_urgent: bool,
}

/// What both languages need to tell of one transition.
struct Tale<'a> {
    transition: &'a Transition,
    episode: &'a Episode,
    place: &'a Place,
    link: &'a str,
}

/// Writes the subject and the text about a transition, for a reader of a language. `link` leads to
/// the page that answers the alarm, or that shows it where nothing is to be answered.
pub fn compose(
    transition: &Transition,
    place: &Place,
    language: Language,
    link: &str,
) -> (String, String) {
    let tale = Tale { transition, episode: &transition.episode, place, link };
    let (zh, en) = (tale.text(Language::Zh), tale.text(Language::En));
    let (first, second) = match language {
        Language::Zh => (zh, en),
        Language::En => (en, zh),
    };
    (
        tale.subject(language),
        format!("{first}\n----------------------------------------\n\n{second}"),
    )
}

/// Writes a message that tries out whether messages arrive.
pub fn compose_test(language: Language, public_url: &str) -> (String, String) {
    let zh = format!(
        "这是苗圃的测试消息。您能读到它,说明报警可以送达您。\n无需处理。网关页面:{public_url}\n"
    );
    let en = format!(
        "This is a test message of Miaopu. That you can read it says that alarms reach you.\n\
         There is nothing to do. The gateway's page: {public_url}\n"
    );
    let (first, second) = match language {
        Language::Zh => (zh, en),
        Language::En => (en, zh),
    };
    ("[测试/Test] 苗圃测试消息 · Miaopu test message".to_owned(), format!("{first}\n{second}"))
}

impl Tale<'_> {
    /// Returns whether it tells that something is over.
    const fn is_over(&self) -> bool {
        matches!(self.transition.kind, Kind::Returned | Kind::Withdrawn)
    }

    fn subject(&self, language: Language) -> String {
        let tag = if self.is_over() {
            "[恢复/Returned]".to_owned()
        } else {
            let severity = severity_name(self.episode.severity);
            format!("[{}/{}]", severity.zh, severity.en)
        };
        let (first, second) = match language {
            Language::Zh => (Language::Zh, Language::En),
            Language::En => (Language::En, Language::Zh),
        };
        let short = |language| format!("{} {}", self.zone(language), self.what(language));
        let fact = self.fact();
        format!("{tag} {}{fact} · {}", short(first), short(second))
    }

    fn zone(&self, language: Language) -> String {
        match &self.place.zone {
            Some((_, names)) => named(names, language).to_owned(),
            None => self.place.node.clone(),
        }
    }

    /// What is wrong, in a few words.
    fn what(&self, language: Language) -> String {
        let name = quantity_name(self.episode.quantity).of(language);
        match (self.episode.kind, language) {
            (RuleKind::Limit, _) => name.to_owned(),
            (RuleKind::Stale, Language::Zh) => format!("{name}无数据"),
            (RuleKind::Stale, Language::En) => format!("{name} silent"),
            (RuleKind::Fault, Language::Zh) => format!("{name}传感器故障"),
            (RuleKind::Fault, Language::En) => format!("{name} sensor faulty"),
        }
    }

    /// The value and the limit, such as ` 38.2 °C > 35.0`.
    fn fact(&self) -> String {
        if self.episode.kind != RuleKind::Limit {
            return String::new();
        }
        let quantity = self.episode.quantity;
        let value = self.value().map(|value| number(value, self.episode.limit, quantity));
        let limit = self.episode.limit.map(|limit| number(limit, None, quantity));
        let sign = match (self.is_over(), self.episode.side) {
            (true, _) => "←",
            (false, Some(Side::Low)) => "<",
            (false, _) => ">",
        };
        match (value, limit) {
            (Some(value), Some(limit)) if !self.is_over() => {
                format!(" {value} {} {sign} {limit}", unit_shown(quantity))
            }
            (Some(value), _) => format!(" {value} {}", unit_shown(quantity)),
            (None, _) => String::new(),
        }
    }

    /// The value of the sample that is told of; where a clock or a person caused it, the worst.
    fn value(&self) -> Option<measure::Scaled> {
        self.transition.value.or(self.episode.peak.map(|peak| peak.value))
    }

    fn text(&self, language: Language) -> String {
        let mut lines = vec![self.headline(language), String::new()];
        lines.push(self.where_line(language));
        lines.extend(self.value_line(language));
        lines.push(self.since_line(language));
        lines.extend(self.over_line(language));
        let advice = advice::of(self.episode);
        let (check, action) = (advice.check.of(language), advice.action.of(language));
        match language {
            Language::Zh if self.is_over() => lines.push(format!("报警页面:{}", self.link)),
            Language::En if self.is_over() => {
                lines.push(format!("The alarm's page: {}", self.link))
            }
            Language::Zh => lines.extend([
                format!("检查:{check}"),
                format!("处理:{action}"),
                String::new(),
                "我已知晓(打开后按一个按钮;链接仅供您本人,24 小时内有效):".to_owned(),
                self.link.to_owned(),
            ]),
            Language::En => lines.extend([
                format!("Check: {check}"),
                format!("Do: {action}"),
                String::new(),
                "Say that you know (one page, one button; the link is yours alone and opens for \
                 24 hours):"
                    .to_owned(),
                self.link.to_owned(),
            ]),
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn headline(&self, language: Language) -> String {
        let (zone, what) = (self.zone(language), self.what(language));
        let severity = severity_name(self.episode.severity).of(language);
        let is_limit = self.episode.kind == RuleKind::Limit;
        match (language, self.is_over()) {
            (Language::Zh, true) => format!("【恢复】{zone}:{what}已恢复正常"),
            (Language::En, true) => format!("[Returned] {zone}: {what} is back to normal"),
            (Language::Zh, false) => {
                let side = match self.episode.side {
                    Some(Side::Low) if is_limit => "过低",
                    Some(Side::High) if is_limit => "过高",
                    _ => "",
                };
                format!("【{severity}】{zone}:{what}{side}")
            }
            (Language::En, false) => {
                let side = match self.episode.side {
                    Some(Side::Low) if is_limit => " too low",
                    Some(Side::High) if is_limit => " too high",
                    _ => "",
                };
                format!("[{severity}] {zone}: {what}{side}")
            }
        }
    }

    fn where_line(&self, language: Language) -> String {
        let site = named(&self.place.site.names, language);
        let (zone, place) = (self.zone(language), self.place);
        match language {
            Language::Zh => {
                format!("地点:{site} › {zone} › {}(节点 {})", place.position, place.node)
            }
            Language::En => {
                format!("Where: {site} › {zone} › {} (node {})", place.position, place.node)
            }
        }
    }

    fn value_line(&self, language: Language) -> Option<String> {
        let (quantity, unit) = (self.episode.quantity, unit_shown(self.episode.quantity));
        let fault = self.transition.fault.map(|fault| fault.name());
        let value = self.value().filter(|_| self.episode.kind == RuleKind::Limit);
        let value = value.map(|value| number(value, self.episode.limit, quantity));
        let limit = self.episode.limit.map(|limit| number(limit, None, quantity));
        Some(match (language, value, limit, fault) {
            (Language::Zh, Some(value), Some(limit), _) => {
                format!("数值:{value} {unit}(限值 {limit} {unit})")
            }
            (Language::En, Some(value), Some(limit), _) => {
                format!("Value: {value} {unit} (limit {limit} {unit})")
            }
            (Language::Zh, None, _, Some(fault)) => format!("故障:{fault}"),
            (Language::En, None, _, Some(fault)) => format!("Fault: {fault}"),
            _ => return None,
        })
    }

    fn since_line(&self, language: Language) -> String {
        let zone = &self.place.site.time_zone;
        let (started, raised) =
            (zone.written(self.episode.started), zone.written(self.episode.raised));
        let name = zone.name();
        match language {
            Language::Zh => format!("开始:{started}({name} 当地时间),{raised} 报警"),
            Language::En => format!("Since: {started} ({name} time), alarm raised at {raised}"),
        }
    }

    fn over_line(&self, language: Language) -> Option<String> {
        if !self.is_over() {
            return None;
        }
        let zone = &self.place.site.time_zone;
        let over = zone.written(self.episode.returned.unwrap_or(self.transition.at));
        let quantity = self.episode.quantity;
        let peak = self.episode.peak.filter(|_| self.episode.kind == RuleKind::Limit);
        let peak = peak.map(|peak| {
            format!("{} {}", number(peak.value, self.episode.limit, quantity), unit_shown(quantity))
        });
        Some(match (language, peak) {
            (Language::Zh, Some(peak)) => format!("恢复:{over};其间最甚 {peak}"),
            (Language::En, Some(peak)) => format!("Over: {over}; at its worst {peak}"),
            (Language::Zh, None) => format!("恢复:{over}"),
            (Language::En, None) => format!("Over: {over}"),
        })
    }
}

fn named(names: &nursery::Names, language: Language) -> &str {
    match language {
        Language::Zh => names.zh(),
        Language::En => names.en(),
    }
}
