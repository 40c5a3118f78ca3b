//! Line protocol after its published grammar (docs.influxdata.com, "Line protocol"), read by itself.

use std::collections::BTreeMap;

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Float(f64),
    Integer(i64),
    Unsigned(u64),
    String(String),
    Boolean(bool),
    /// Nanoseconds since 1970; only in tables.
    Time(i64),
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub measurement: String,
    pub tags: BTreeMap<String, String>,
    pub fields: BTreeMap<String, Value>,
    /// In the unit of the request's precision.
    pub time: Option<i64>,
}

struct Cursor<'a> {
    rest: &'a str,
}

impl Cursor<'_> {
    /// Reads up to one of `ends`, which a backslash keeps from being one.
    fn until(&mut self, ends: &[char]) -> String {
        let mut out = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            if character == '\\' {
                match characters.next() {
                    // A backslash before anything else stands for itself.
                    Some((_, next)) if ends.contains(&next) || " ,=".contains(next) => {
                        out.push(next)
                    }
                    Some((_, next)) => out.extend(['\\', next]),
                    None => out.push('\\'),
                }
            } else if ends.contains(&character) {
                self.rest = &self.rest[at..];
                return out;
            } else {
                out.push(character);
            }
        }
        self.rest = "";
        out
    }

    fn take(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn string(&mut self) -> Result<String, &'static str> {
        let mut out = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, next @ ('"' | '\\'))) => out.push(next),
                    Some((_, next)) => out.extend(['\\', next]),
                    None => break,
                },
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(out);
                }
                other => out.push(other),
            }
        }
        Err("unbalanced quotes")
    }
}

fn value(text: &str) -> Result<Value, &'static str> {
    match text {
        "t" | "T" | "true" | "True" | "TRUE" => return Ok(Value::Boolean(true)),
        "f" | "F" | "false" | "False" | "FALSE" => return Ok(Value::Boolean(false)),
        _ => {}
    }
    if let Some(digits) = text.strip_suffix('i') {
        return digits.parse().map(Value::Integer).map_err(|_| "invalid integer");
    }
    if let Some(digits) = text.strip_suffix('u') {
        return digits.parse().map(Value::Unsigned).map_err(|_| "invalid unsigned");
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Value::Float(number)),
        Ok(_) | Err(_) => Err("invalid number"),
    }
}

/// Reads one line.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &str) -> Result<Point, &'static str> {
    let mut cursor = Cursor { rest: line };
    let measurement = cursor.until(&[',', ' ']);
    if measurement.is_empty() || measurement.starts_with('_') {
        return Err("missing measurement");
    }
    let mut tags = BTreeMap::new();
    while cursor.take(',') {
        let key = cursor.until(&['=', ',', ' ']);
        if !cursor.take('=') || key.is_empty() {
            return Err("missing tag key or value");
        }
        let tag = cursor.until(&[',', ' ']);
        if tag.is_empty() {
            return Err("missing tag value");
        }
        if tags.insert(key, tag).is_some() {
            return Err("duplicate tags");
        }
    }
    if !cursor.take(' ') {
        return Err("missing fields");
    }
    let mut fields = BTreeMap::new();
    loop {
        let key = cursor.until(&['=', ',', ' ']);
        if key.is_empty() || !cursor.take('=') {
            return Err("missing field key or value");
        }
        let found = if cursor.take('"') {
            Value::String(cursor.string()?)
        } else {
            value(&cursor.until(&[',', ' ']))?
        };
        fields.insert(key, found);
        if !cursor.take(',') {
            break;
        }
    }
    let time = match cursor.rest.strip_prefix(' ').map(str::trim) {
        None if cursor.rest.is_empty() => None,
        None => return Err("invalid field format"),
        Some("") => None,
        Some(time) => Some(time.parse().map_err(|_| "bad timestamp")?),
    };
    Ok(Point { measurement, tags, fields, time })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the published reference of line protocol.
    #[test]
    fn the_published_examples_are_read() {
        let point = parse(
            "myMeasurement,tag1=value1,tag2=value2 fieldKey=\"fieldValue\" 1556813561098000000",
        );
        let point = point.unwrap();
        assert_eq!(point.measurement, "myMeasurement");
        assert_eq!(point.tags.get("tag2").map(String::as_str), Some("value2"));
        assert_eq!(point.fields.get("fieldKey"), Some(&Value::String("fieldValue".to_owned())));
        assert_eq!(point.time, Some(1_556_813_561_098_000_000));
        let field =
            |line: &str| parse(line).map(|point| point.fields.into_values().next().unwrap());
        assert_eq!(field("myMeasurement fieldKey=1.0"), Ok(Value::Float(1.0)));
        assert_eq!(field("myMeasurement fieldKey=-1.234456e+78"), Ok(Value::Float(-1.234456e78)));
        assert_eq!(field("myMeasurement fieldKey=12485903i"), Ok(Value::Integer(12_485_903)));
        assert_eq!(field("myMeasurement fieldKey=12485903u"), Ok(Value::Unsigned(12_485_903)));
        assert_eq!(field("myMeasurement fieldKey=true"), Ok(Value::Boolean(true)));
        let escaped = parse(r#"my\ Measurement fieldKey="string value""#).unwrap();
        assert_eq!(escaped.measurement, "my Measurement");
        let escaped =
            parse(r#"myMeasurement,tag\ Key1=tag\ Value1,tag\ Key2=tag\ Value2 fieldKey=100"#);
        assert_eq!(escaped.unwrap().tags["tag Key1"], "tag Value1");
        let quoted = field(r#"myMeasurement fieldKey="\"string\" within a string""#);
        assert_eq!(quoted, Ok(Value::String("\"string\" within a string".to_owned())));
    }

    #[test]
    fn what_a_server_refuses_is_refused() {
        for line in [
            "m,tag= f=1",
            "m,=x f=1",
            "m f=",
            "m",
            "m f=NaN",
            "m f=1 x",
            "m f=\"open",
            "m f=1ii",
            ",a=b f=1",
            "m f=9223372036854775808i",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
