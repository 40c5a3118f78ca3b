//! What MCPD v2.1 asks of each descriptor. A fault keeps a row out; a hint only says that it is odd.
//!
//! A row is faulty where something that must be there is not, or where a cell can't be understood as
//! what its column holds. What is understood but against a convention is a hint.

use crate::code::codes;
use crate::passport::{CELL_CHARS_MAX, NUMBER_CHARS_MAX};
use crate::place::{Axis, PlaceError, decimal, degrees};
use crate::sheet::VALUE_CHARS_MAX;
use crate::{Fault, Field, PartialDate, Passport, Words};

/// The lowest and the highest land on Earth, in metres, with room to spare.
const ELEVATION_M: (f64, f64) = (-500.0, 9_000.0);
/// How far decimal and sexagesimal degrees may lie apart: a minute, as either may be rounded to it.
const DEGREES_APART_MAX: f64 = 1.0 / 60.0;

/// Checks the cells of a row.
pub(crate) fn check(
    row: u32,
    passport: &Passport,
    faults: &mut Vec<Fault>,
    hints: &mut Vec<Fault>,
) {
    let mut report = Report { row, passport, faults, hints };
    report.required();
    report.texts();
    for field in Field::ALL {
        let value = passport.get(field);
        if !value.is_empty() {
            report.value(field, value);
        }
    }
    report.names_beside_codes();
    report.place();
    report.unexplained();
}

pub(crate) fn fault(row: u32, field: &str, value: &str, message: Words, remedy: Words) -> Fault {
    let value = value.chars().take(VALUE_CHARS_MAX).collect();
    Fault { row, field: field.to_owned(), value, message, remedy }
}

/// Returns what to write into a field that every accession must have.
pub(crate) fn words_of_missing(field: Field) -> Words {
    match field {
        Field::InstCode => Words::new(
            "填写保存单位的 FAO WIEWS 代码,如 CHN001",
            "write the FAO WIEWS code of the institute that keeps it, such as CHN001",
        ),
        Field::AcceNumb => Words::new(
            "填写种质编号;同一单位内不得重复",
            "write the accession's number; it must be unique within the institute",
        ),
        _ => Words::new(
            "填写属的拉丁学名,如 Camellia",
            "write the Latin name of the genus, such as Camellia",
        ),
    }
}

struct Report<'a> {
    row: u32,
    passport: &'a Passport,
    faults: &'a mut Vec<Fault>,
    hints: &'a mut Vec<Fault>,
}

impl Report<'_> {
    fn fault(&mut self, field: Field, value: &str, message: Words, remedy: Words) {
        self.faults.push(fault(self.row, field.code(), value, message, remedy));
    }

    fn hint(&mut self, field: Field, message: Words, remedy: Words) {
        let value = self.passport.get(field);
        self.hints.push(fault(self.row, field.code(), value, message, remedy));
    }

    fn has(&self, field: Field) -> bool {
        !self.passport.get(field).trim().is_empty()
    }

    fn required(&mut self) {
        for field in [Field::InstCode, Field::AcceNumb, Field::Genus] {
            if !self.has(field) {
                let missing = Words::new("必填项为空", "must not be empty");
                self.fault(field, self.passport.get(field), missing, words_of_missing(field));
            }
        }
    }

    /// What no cell may hold, whatever its column.
    fn texts(&mut self) {
        let known = Field::ALL.iter().map(|it| (it.code(), self.passport.get(*it)));
        let extra = self.passport.extra().iter().map(|(name, it)| (name.as_str(), it.as_str()));
        for (name, value) in known.chain(extra) {
            let count = value.chars().count();
            if count > CELL_CHARS_MAX {
                let message = Words::new(
                    format!("有 {count} 个字,最多 {CELL_CHARS_MAX}"),
                    format!("has {count} characters, more than {CELL_CHARS_MAX}"),
                );
                let remedy = Words::new("请缩短", "shorten it");
                self.faults.push(fault(self.row, name, value, message, remedy));
            }
            if value.chars().any(|it| it.is_control() && !matches!(it, '\n' | '\r' | '\t')) {
                let message = Words::new("含有控制字符", "holds a control character");
                let remedy = Words::new(
                    "请删去看不见的字符,或重新输入",
                    "remove the invisible character, or type the cell anew",
                );
                self.faults.push(fault(self.row, name, value, message, remedy));
            }
        }
    }

    fn value(&mut self, field: Field, value: &str) {
        match field {
            Field::InstCode | Field::DonorCode => self.institute(field, value),
            Field::CollCode | Field::BredCode | Field::DuplSite => {
                self.each(field, Self::institute);
            }
            Field::AcceNumb => self.number(value),
            Field::AcqDate | Field::CollDate => self.date(field, value),
            Field::OrigCty => self.country(value),
            Field::Latitude => self.sexagesimal(field, value, Axis::LATITUDE),
            Field::Longitude => self.sexagesimal(field, value, Axis::LONGITUDE),
            Field::DecLatitude => self.within(field, value, -90.0, 90.0),
            Field::DecLongitude => self.within(field, value, -180.0, 180.0),
            // Half of the Earth's circumference, in metres.
            Field::CoordUncert => self.within(field, value, 0.0, 20_038_000.0),
            Field::Elevation => self.within(field, value, ELEVATION_M.0, ELEVATION_M.1),
            Field::Storage => self.each(field, Self::code),
            Field::SampStat | Field::CollSrc | Field::MlsStat => self.code(field, value),
            Field::Genus | Field::AcceName => self.upper(field, value),
            Field::Species => self.lower(value),
            Field::OtherNumb => self.other_numbers(),
            _ => {}
        }
        if field.is_list() && value.split(';').any(|it| it.trim() != it || it.is_empty()) {
            let message = Words::new(
                "多个值之间有空格或空值",
                "has spaces around a value of its list, or an empty one",
            );
            let remedy = Words::new(
                "多个值用 ; 分隔,前后不加空格",
                "part several values by ; alone, without spaces",
            );
            self.hint(field, message, remedy);
        }
    }

    fn each(&mut self, field: Field, check: impl Fn(&mut Self, Field, &str)) {
        let passport = self.passport;
        for part in passport.get(field).split(';').map(str::trim).filter(|it| !it.is_empty()) {
            check(self, field, part);
        }
    }

    fn institute(&mut self, field: Field, value: &str) {
        let (country, number) = value.split_at_checked(3).unwrap_or((value, ""));
        let is_code = country.len() == 3
            && country.bytes().all(|it| it.is_ascii_uppercase())
            && (3..=4).contains(&number.len())
            && number.bytes().all(|it| it.is_ascii_digit());
        if !is_code && !value.trim().is_empty() {
            let message = Words::new("不是 FAO WIEWS 单位代码", "is no FAO WIEWS institute code");
            let remedy = Words::new(
                "写三个大写字母和三或四位数字,如 CHN001;没有代码时留空,并写单位名称",
                "write three capitals and three or four digits, such as CHN001; where there is no code, leave it empty and write the name",
            );
            self.fault(field, value, message, remedy);
        }
    }

    fn number(&mut self, value: &str) {
        let count = value.chars().count();
        if value.trim() != value && !value.trim().is_empty() {
            let message = Words::new("编号前后有空格", "has spaces around it");
            let remedy = Words::new("请删去空格", "remove the spaces");
            self.fault(Field::AcceNumb, value, message, remedy);
        }
        if count > NUMBER_CHARS_MAX {
            let message = Words::new(
                format!("有 {count} 个字,最多 {NUMBER_CHARS_MAX}"),
                format!("has {count} characters, more than {NUMBER_CHARS_MAX}"),
            );
            self.fault(Field::AcceNumb, value, message, Words::new("请缩短", "shorten it"));
        }
    }

    fn date(&mut self, field: Field, value: &str) {
        if let Err(error) = value.parse::<PartialDate>() {
            let remedy = Words::new(
                "写 YYYYMMDD,不详的月或日写 -- 或 00,如 195911--、1959----",
                "write YYYYMMDD, an unknown month or day as -- or 00, such as 195911-- or 1959----",
            );
            self.fault(field, value, error.words(), remedy);
        }
    }

    fn country(&mut self, value: &str) {
        if value.len() != 3 || !value.bytes().all(|it| it.is_ascii_uppercase()) {
            let message = Words::new("不是三字母国家代码", "is no country code of three letters");
            let remedy = Words::new(
                "写 ISO 3166-1 三字母代码,如 CHN",
                "write the ISO 3166-1 alpha-3 code, such as CHN",
            );
            self.fault(Field::OrigCty, value, message, remedy);
        }
    }

    fn sexagesimal(&mut self, field: Field, value: &str, axis: Axis) {
        let Err(error) = degrees(value, axis) else { return };
        let remedy = match (error, field) {
            (PlaceError::Seconds | PlaceError::Minutes, _) => Words::new(
                "分和秒须为 00 到 59:60 秒须进为 1 分",
                "minutes and seconds run from 00 to 59: carry 60 s over as one minute",
            ),
            (_, Field::Latitude) => Words::new(
                "写 DDMMSS 加 N 或 S,不详的位写 -,如 290954N、2909--N;不超过 90 度",
                "write DDMMSS and N or S, unknown digits as -, such as 290954N or 2909--N; at most 90 degrees",
            ),
            _ => Words::new(
                "写 DDDMMSS 加 E 或 W,不详的位写 -,如 1070605E、10706--E;不超过 180 度",
                "write DDDMMSS and E or W, unknown digits as -, such as 1070605E or 10706--E; at most 180 degrees",
            ),
        };
        self.fault(field, value, error.words(), remedy);
    }

    fn within(&mut self, field: Field, value: &str, low: f64, high: f64) {
        let message = match decimal(value) {
            Some(number) if (low..=high).contains(&number) => return,
            Some(_) => Words::new(
                format!("超出 {low} 到 {high} 的范围"),
                format!("lies outside {low} to {high}"),
            ),
            None => Words::new("不是数字", "is no number"),
        };
        let remedy = Words::new(
            format!("写 {low} 到 {high} 之间的十进制数,如 29.165"),
            format!("write a decimal number between {low} and {high}, such as 29.165"),
        );
        self.fault(field, value, message, remedy);
    }

    fn code(&mut self, field: Field, value: &str) {
        let Some(codes) = codes(field) else { return };
        if codes.iter().any(|(code, ..)| *code == value) {
            return;
        }
        let known = codes.iter().map(|(code, ..)| *code).collect::<Vec<_>>().join(" ");
        let message = Words::new("代码表中没有这个代码", "is no code of its list");
        let remedy = Words::new(format!("可用代码:{known}"), format!("the codes are {known}"));
        self.fault(field, value, message, remedy);
    }

    fn upper(&mut self, field: Field, value: &str) {
        if value.chars().next().is_some_and(char::is_lowercase) {
            let message = Words::new("首字母应大写", "should begin with a capital");
            self.hint(field, message, kept());
        }
    }

    fn lower(&mut self, value: &str) {
        if value.chars().next().is_some_and(char::is_uppercase) {
            let message = Words::new("种加词应小写", "should be in lower case");
            self.hint(Field::Species, message, kept());
        }
    }

    fn other_numbers(&mut self) {
        let value = self.passport.get(Field::OtherNumb);
        if value.split(';').any(|it| !it.trim().is_empty() && !it.contains(':')) {
            let message = Words::new("编号前没有单位代码", "names no institute before the number");
            let remedy = Words::new(
                "写 单位代码:编号;单位不详时以 : 开头",
                "write INSTCODE:NUMBER; where the institute is not known, begin with :",
            );
            self.hint(Field::OtherNumb, message, remedy);
        }
    }

    fn names_beside_codes(&mut self) {
        for (name, code) in [
            (Field::CollName, Field::CollCode),
            (Field::CollInstAddress, Field::CollCode),
            (Field::BredName, Field::BredCode),
            (Field::DonorName, Field::DonorCode),
            (Field::DuplInstName, Field::DuplSite),
        ] {
            if self.has(name) && self.has(code) {
                let message = Words::new(
                    format!("已有 {code},不必再写名称"),
                    format!("stands beside {code}, which says it already"),
                );
                self.hint(name, message, kept());
            }
        }
    }

    /// What the cells of a place say together.
    fn place(&mut self) {
        use Field::{CoordDatum, DecLatitude, DecLongitude, Latitude, Longitude};
        for (one, other) in [(DecLatitude, DecLongitude), (Latitude, Longitude)] {
            for (here, there) in [(one, other), (other, one)] {
                if self.has(here) && !self.has(there) {
                    let message =
                        Words::new(format!("缺少 {there}"), format!("stands without {there}"));
                    let remedy = Words::new(format!("请补上 {there}"), format!("add {there}"));
                    self.hint(here, message, remedy);
                }
            }
        }
        let passport = self.passport;
        for (plain, axis, text) in
            [(DecLatitude, Axis::LATITUDE, Latitude), (DecLongitude, Axis::LONGITUDE, Longitude)]
        {
            let both = (decimal(passport.get(plain)), degrees(passport.get(text), axis));
            if let (Some(plain_degrees), Ok(told)) = both {
                // Unknown digits stand for anything.
                if (plain_degrees - told).abs() > DEGREES_APART_MAX
                    && !passport.get(text).contains('-')
                {
                    let message = Words::new(
                        format!("与 {text} 相差超过一分"),
                        format!("differs from {text} by more than a minute"),
                    );
                    self.hint(plain, message, kept());
                }
            }
        }
        if self.has(CoordDatum) {
            self.datum();
        } else if let Some(field) =
            [DecLatitude, Latitude, DecLongitude, Longitude].into_iter().find(|it| self.has(*it))
        {
            let message = Words::new("没有注明坐标基准", "stands without COORDDATUM");
            let remedy = Words::new(
                "在 COORDDATUM 写明基准,如 WGS84;国内手机地图多为 GCJ-02,会偏移数百米",
                "name the datum in COORDDATUM, such as WGS84; phone maps in China use GCJ-02, hundreds of metres off",
            );
            self.hint(field, message, remedy);
        }
    }

    fn datum(&mut self) {
        let datum = self.passport.get(Field::CoordDatum);
        let plain: String = datum.chars().filter(char::is_ascii_alphanumeric).collect();
        let plain = plain.to_ascii_uppercase();
        if plain.starts_with("GCJ") || plain.starts_with("BD09") || datum.contains("火星") {
            let message = Words::new(
                "这是加偏坐标系,与 WGS84 相差数百米",
                "is an obfuscated datum, hundreds of metres off WGS84",
            );
            let remedy = Words::new(
                "原样保存;请尽量换算成 WGS84 后再导入,不要只改名称",
                "it is kept; convert to WGS84 and import again where you can, and never only rename it",
            );
            self.hint(Field::CoordDatum, message, remedy);
        }
    }

    /// A code that says "other" is to be explained.
    fn unexplained(&mut self) {
        let remarks = self.passport.get(Field::Remarks).to_ascii_uppercase();
        for field in [Field::SampStat, Field::CollSrc, Field::Storage, Field::MlsStat] {
            let value = self.passport.get(field);
            let says_other = value.split(';').any(|it| matches!(it.trim(), "99" | "999"));
            if says_other && !remarks.contains(&format!("{}:", field.code())) {
                let message = Words::new("“其他”没有说明", "says \"other\" without a word on it");
                let remedy = Words::new(
                    format!("在 REMARKS 写 {field}:说明"),
                    format!("write {field}:text in REMARKS"),
                );
                self.hint(field, message, remedy);
            }
        }
    }
}

/// What is said of something that is only against a convention.
fn kept() -> Words {
    Words::new("原样保存", "it is kept as it is")
}
