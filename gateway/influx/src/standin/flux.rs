//! A small interpreter of Flux: pipes of the functions that a time series is asked with. What it
//! does not know is refused, as a server refuses what it cannot compile.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{Outcome, Table};
use super::{Data, Series, Value};

/// Why a query is refused.
pub(super) enum Refused {
    Bucket(String),
    Query(String),
}

/// Values by the names of their columns.
type Cells = BTreeMap<String, Value>;

type Got<T> = Result<T, Refused>;

fn wrong<T>(message: impl Into<String>) -> Got<T> {
    Err(Refused::Query(format!("error in query specification: {}", message.into())))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(i64),
    /// Microseconds.
    Duration(i64),
    Sign(&'static str),
}

const SIGNS: [&str; 21] = [
    "|>", "=>", "==", "!=", ">=", "<=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "=", "<", ">",
    "-", "+", "*",
];

fn tokens(text: &str) -> Got<Vec<Token>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let first = rest.chars().next().unwrap();
        if first == '"' {
            let (text, left) = string(&rest[1..])?;
            out.push(Token::Text(text));
            rest = left;
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let number = rest[..end].parse().map_err(|_| Refused::Query("number".to_owned()))?;
            rest = &rest[end..];
            let unit = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            match &rest[..unit] {
                "" => out.push(Token::Number(number)),
                "us" => out.push(Token::Duration(number)),
                other => return wrong(format!("unit {other}")),
            }
            rest = &rest[unit..];
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let end = end.unwrap_or(rest.len());
            out.push(Token::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            out.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            return wrong(format!("unexpected {first:?}"));
        }
        rest = rest.trim_start();
    }
    Ok(out)
}

fn string(text: &str) -> Got<(String, &str)> {
    let mut bytes = Vec::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let text = String::from_utf8(bytes).map_err(|_| Refused::Query("text".into()))?;
                return Ok((text, characters.as_str()));
            }
            '$' if text[at + 1..].starts_with('{') => return wrong("an expression in a string"),
            '\\' => match characters.next().map(|(_, next)| next) {
                Some('n') => bytes.push(b'\n'),
                Some('r') => bytes.push(b'\r'),
                Some('t') => bytes.push(b'\t'),
                Some(next @ ('"' | '\\')) => bytes.push(next as u8),
                Some('x') => {
                    let digits: String = characters.by_ref().take(2).map(|(_, c)| c).collect();
                    match u8::from_str_radix(&digits, 16) {
                        Ok(byte) => bytes.push(byte),
                        Err(_) => return wrong("a byte in a string"),
                    }
                }
                other => return wrong(format!("escape {other:?}")),
            },
            other => bytes.extend(other.to_string().as_bytes()),
        }
    }
    wrong("an open string")
}

struct Parser<'a> {
    tokens: &'a [Token],
    data: &'a Data,
    names: BTreeMap<String, Vec<Table>>,
    outcomes: Vec<Outcome>,
}

/// An argument of a function.
#[derive(Clone, Debug)]
enum Argument {
    Text(String),
    Texts(Vec<String>),
    Number(i64),
    Duration(i64),
    Truth(bool),
    Name(String),
    Lambda(Expression),
}

#[derive(Clone, Debug)]
enum Expression {
    Column(String),
    Value(Value),
    Compare(Box<Expression>, &'static str, Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    If(Box<Expression>, Box<Expression>, Box<Expression>),
    /// `{r with name: expression}`.
    With(String, Box<Expression>),
}

pub(super) fn run(query: &str, data: &Data) -> Got<Vec<Outcome>> {
    let tokens = tokens(query)?;
    let (names, outcomes) = (BTreeMap::new(), Vec::new());
    let mut parser = Parser { tokens: &tokens, data, names, outcomes };
    while !parser.tokens.is_empty() {
        parser.statement()?;
    }
    Ok(parser.outcomes)
}

impl Parser<'_> {
    fn next(&mut self) -> Got<Token> {
        let Some((first, rest)) = self.tokens.split_first() else { return wrong("the end") };
        self.tokens = rest;
        Ok(first.clone())
    }

    fn eat(&mut self, token: &Token) -> bool {
        let found = self.tokens.first() == Some(token);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn sign(&mut self, sign: &'static str) -> Got<()> {
        match self.next()? {
            Token::Sign(found) if found == sign => Ok(()),
            other => wrong(format!("{other:?} in place of {sign}")),
        }
    }

    fn name(&mut self) -> Got<String> {
        match self.next()? {
            Token::Name(name) => Ok(name),
            other => wrong(format!("{other:?} in place of a name")),
        }
    }

    fn statement(&mut self) -> Got<()> {
        let name = self.name()?;
        if self.eat(&Token::Sign("=")) {
            let first = self.name()?;
            let (tables, _) = self.pipe(&first)?;
            self.names.insert(name, tables);
            return Ok(());
        }
        let (tables, yielded) = self.pipe(&name)?;
        self.outcomes.push(Outcome { name: yielded.unwrap_or("_result".to_owned()), tables });
        Ok(())
    }

    fn pipe(&mut self, first: &str) -> Got<(Vec<Table>, Option<String>)> {
        let mut tables = match self.names.get(first) {
            Some(tables) => tables.clone(),
            None if first == "from" => self.from()?,
            None => return wrong(format!("undefined identifier {first}")),
        };
        let mut yielded = None;
        while self.eat(&Token::Sign("|>")) {
            let function = self.name()?;
            let arguments = self.arguments()?;
            if function == "yield" {
                yielded = Some(text(&arguments, "name")?);
                continue;
            }
            tables = apply(&function, &arguments, tables)?;
        }
        Ok((tables, yielded))
    }

    fn from(&mut self) -> Got<Vec<Table>> {
        let bucket = text(&self.arguments()?, "bucket")?;
        if bucket != super::BUCKET {
            return Err(Refused::Bucket(bucket));
        }
        // A server refuses to read without bounds, and so does this one.
        self.sign("|>")?;
        self.word("range")?;
        let range = self.arguments()?;
        let (start, stop) = (number(&range, "start")?, number(&range, "stop")?);
        if start >= stop {
            return wrong("cannot query an empty range");
        }
        // The first filter is of tags and fields, which a table is chosen by as a whole.
        let mut chosen = None;
        if self.tokens.starts_with(&[Token::Sign("|>"), Token::Name("filter".into())]) {
            self.tokens = &self.tokens[2..];
            match self.arguments()?.remove("fn") {
                Some(Argument::Lambda(lambda)) => chosen = Some(lambda),
                other => return wrong(format!("filter by {other:?}")),
            }
        }
        let mut tables: Vec<Table> = Vec::new();
        for (series, points) in &self.data.points {
            let fields: BTreeSet<&String> =
                points.range(start..stop).flat_map(|(_, fields)| fields.keys()).collect();
            for field in fields {
                let group = group_of(series, field, start, stop);
                let mut table = Table { group, rows: Vec::new() };
                let of_table = |lambda| evaluate(lambda, &table, &Cells::new());
                let is_chosen = chosen.as_ref().map(of_table);
                if is_chosen.is_some_and(|it| it != Some(Value::Boolean(true))) {
                    continue;
                }
                for (time, fields) in points.range(start..stop) {
                    if let Some(value) = fields.get(field) {
                        let time = ("_time".into(), Value::Time(*time));
                        table.rows.push([time, ("_value".into(), value.clone())].into());
                    }
                }
                tables.push(table);
            }
        }
        Ok(tables)
    }

    fn arguments(&mut self) -> Got<BTreeMap<String, Argument>> {
        let mut arguments = BTreeMap::new();
        self.sign("(")?;
        while !self.eat(&Token::Sign(")")) {
            let name = self.name()?;
            self.sign(":")?;
            let argument = self.argument()?;
            arguments.insert(name, argument);
            if !self.eat(&Token::Sign(",")) {
                self.sign(")")?;
                break;
            }
        }
        Ok(arguments)
    }

    fn argument(&mut self) -> Got<Argument> {
        Ok(match self.next()? {
            Token::Text(text) => Argument::Text(text),
            Token::Number(number) => Argument::Number(number),
            Token::Duration(us) => Argument::Duration(us),
            Token::Name(name) if name == "true" || name == "false" => {
                Argument::Truth(name == "true")
            }
            // A time of nanoseconds.
            Token::Name(name) if name == "time" => match self.arguments()?.get("v") {
                Some(Argument::Number(ns)) => Argument::Number(*ns),
                other => return wrong(format!("time of {other:?}")),
            },
            Token::Name(name) => Argument::Name(name),
            Token::Sign("[") => {
                let mut texts = Vec::new();
                while let Token::Text(text) = self.next()? {
                    texts.push(text);
                    if self.eat(&Token::Sign("]")) {
                        return Ok(Argument::Texts(texts));
                    }
                    self.sign(",")?;
                }
                return wrong("a list");
            }
            Token::Sign("(") => {
                if self.name()? != "r" {
                    return wrong("a function of other than r");
                }
                self.sign(")")?;
                self.sign("=>")?;
                Argument::Lambda(self.expression()?)
            }
            other => return wrong(format!("argument {other:?}")),
        })
    }

    fn expression(&mut self) -> Got<Expression> {
        let mut any = vec![self.conjunction()?];
        while self.eat(&Token::Name("or".into())) {
            any.push(self.conjunction()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Expression::Any(any) })
    }

    fn conjunction(&mut self) -> Got<Expression> {
        let mut all = vec![self.comparison()?];
        while self.eat(&Token::Name("and".into())) {
            all.push(self.comparison()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expression::All(all) })
    }

    fn comparison(&mut self) -> Got<Expression> {
        let left = self.operand()?;
        for sign in ["==", "!="] {
            if self.eat(&Token::Sign(sign)) {
                return Ok(Expression::Compare(Box::new(left), sign, Box::new(self.operand()?)));
            }
        }
        Ok(left)
    }

    fn operand(&mut self) -> Got<Expression> {
        Ok(match self.next()? {
            Token::Text(text) => Expression::Value(Value::String(text)),
            Token::Number(number) => Expression::Value(Value::Integer(number)),
            Token::Name(name) if name == "r" => {
                self.sign(".")?;
                Expression::Column(self.name()?)
            }
            Token::Name(name) if name == "if" => {
                let condition = self.expression()?;
                self.word("then")?;
                let then = self.expression()?;
                self.word("else")?;
                let other = self.expression()?;
                Expression::If(Box::new(condition), Box::new(then), Box::new(other))
            }
            Token::Sign("(") => {
                let inner = self.expression()?;
                self.sign(")")?;
                inner
            }
            Token::Sign("{") => {
                self.word("r")?;
                self.word("with")?;
                let name = self.name()?;
                self.sign(":")?;
                let value = self.expression()?;
                self.sign("}")?;
                Expression::With(name, Box::new(value))
            }
            other => return wrong(format!("operand {other:?}")),
        })
    }

    fn word(&mut self, word: &str) -> Got<()> {
        if self.name()? == word { Ok(()) } else { wrong(format!("`{word}` is missing")) }
    }
}

/// Returns what all rows of a table share.
fn group_of((measurement, tags): &Series, field: &str, start: i64, stop: i64) -> Cells {
    let tags = tags.iter().map(|(key, tag)| (key.clone(), Value::String(tag.clone())));
    let mut group: Cells = tags.collect();
    group.insert("_measurement".into(), Value::String(measurement.clone()));
    group.insert("_field".into(), Value::String(field.to_owned()));
    group.insert("_start".into(), Value::Time(start));
    group.insert("_stop".into(), Value::Time(stop));
    group
}

fn text(arguments: &BTreeMap<String, Argument>, name: &str) -> Got<String> {
    match arguments.get(name) {
        Some(Argument::Text(text)) => Ok(text.clone()),
        other => wrong(format!("argument {name} is {other:?}")),
    }
}

fn texts(arguments: &BTreeMap<String, Argument>, name: &str) -> Got<Vec<String>> {
    match arguments.get(name) {
        Some(Argument::Texts(texts)) => Ok(texts.clone()),
        other => wrong(format!("argument {name} is {other:?}")),
    }
}

fn number(arguments: &BTreeMap<String, Argument>, name: &str) -> Got<i64> {
    match arguments.get(name) {
        Some(Argument::Number(number) | Argument::Duration(number)) => Ok(*number),
        other => wrong(format!("argument {name} is {other:?}")),
    }
}

fn column<'a>(table: &'a Table, row: &'a BTreeMap<String, Value>, name: &str) -> Option<&'a Value> {
    row.get(name).or_else(|| table.group.get(name))
}

fn evaluate(
    expression: &Expression,
    table: &Table,
    row: &BTreeMap<String, Value>,
) -> Option<Value> {
    let truth =
        |expression: &Expression| evaluate(expression, table, row) == Some(Value::Boolean(true));
    Some(match expression {
        Expression::Column(name) => column(table, row, name)?.clone(),
        Expression::Value(value) => value.clone(),
        // Whatever is compared with null is null, and no row has it.
        Expression::Compare(left, sign, right) => {
            let (left, right) = (evaluate(left, table, row)?, evaluate(right, table, row)?);
            Value::Boolean((left == right) == (*sign == "=="))
        }
        Expression::All(all) => Value::Boolean(all.iter().all(truth)),
        Expression::Any(any) => Value::Boolean(any.iter().any(truth)),
        Expression::If(condition, then, other) => {
            evaluate(if truth(condition) { then } else { other }, table, row)?
        }
        Expression::With(..) => return None,
    })
}

fn time(row: &BTreeMap<String, Value>) -> i64 {
    match row.get("_time") {
        Some(Value::Time(ns)) => *ns,
        _ => i64::MIN,
    }
}

fn apply(
    function: &str,
    arguments: &BTreeMap<String, Argument>,
    mut tables: Vec<Table>,
) -> Got<Vec<Table>> {
    match function {
        "filter" => {
            let Some(Argument::Lambda(lambda)) = arguments.get("fn") else { return wrong("fn") };
            for table in &mut tables {
                let whole = table.clone();
                table
                    .rows
                    .retain(|row| evaluate(lambda, &whole, row) == Some(Value::Boolean(true)));
            }
            tables.retain(|table| !table.rows.is_empty());
        }
        "map" => {
            let Some(Argument::Lambda(Expression::With(name, value))) = arguments.get("fn") else {
                return wrong("a map");
            };
            for table in &mut tables {
                let whole = table.clone();
                for row in &mut table.rows {
                    if let Some(value) = evaluate(value, &whole, row) {
                        row.insert(name.clone(), value);
                    }
                }
            }
        }
        "first" | "last" => {
            for table in &mut tables {
                table.rows.sort_by_key(time);
                let row = if function == "first" { table.rows.first() } else { table.rows.last() };
                table.rows = row.cloned().into_iter().collect();
            }
        }
        "keep" => {
            let columns = texts(arguments, "columns")?;
            for table in &mut tables {
                table.group.retain(|name, _| columns.contains(name));
                table.rows.iter_mut().for_each(|row| row.retain(|name, _| columns.contains(name)));
            }
            // Tables whose group keys have become the same are one.
            let mut merged: Vec<Table> = Vec::new();
            for table in tables {
                match merged.iter_mut().find(|other| other.group == table.group) {
                    Some(other) => other.rows.extend(table.rows),
                    None => merged.push(table),
                }
            }
            return Ok(merged);
        }
        "sort" => {
            if texts(arguments, "columns")? != ["_time"] {
                return wrong("sort by other than time");
            }
            tables.iter_mut().for_each(|table| table.rows.sort_by_key(time));
        }
        "pivot" => return pivot(arguments, tables),
        "aggregateWindow" => return windows(arguments, tables),
        other => return wrong(format!("undefined identifier {other}")),
    }
    Ok(tables)
}

fn pivot(arguments: &BTreeMap<String, Argument>, tables: Vec<Table>) -> Got<Vec<Table>> {
    if texts(arguments, "rowKey")? != ["_time"]
        || texts(arguments, "columnKey")? != ["_field"]
        || text(arguments, "valueColumn")? != "_value"
    {
        return wrong("another pivot");
    }
    let mut pivoted: Vec<(Cells, BTreeMap<i64, Cells>)> = Vec::new();
    for table in tables {
        let mut group = table.group.clone();
        let Some(Value::String(field)) = group.remove("_field") else { return wrong("no field") };
        let at = pivoted.iter().position(|(other, _)| *other == group).unwrap_or_else(|| {
            pivoted.push((group, BTreeMap::new()));
            pivoted.len() - 1
        });
        for row in table.rows {
            let cells = pivoted[at].1.entry(time(&row)).or_default();
            cells.insert("_time".into(), row["_time"].clone());
            cells.insert(field.clone(), row["_value"].clone());
        }
    }
    let table =
        |(group, rows): (_, BTreeMap<_, _>)| Table { group, rows: rows.into_values().collect() };
    Ok(pivoted.into_iter().map(table).collect())
}

fn windows(arguments: &BTreeMap<String, Argument>, tables: Vec<Table>) -> Got<Vec<Table>> {
    let (every, offset) =
        (number(arguments, "every")? * 1_000, number(arguments, "offset")? * 1_000);
    let name = text(arguments, "column")?;
    let Some(Argument::Name(function)) = arguments.get("fn") else { return wrong("fn") };
    if text(arguments, "timeSrc")? != "_start" || every <= 0 {
        return wrong("another window");
    }
    if !matches!(arguments.get("createEmpty"), Some(Argument::Truth(false))) {
        return wrong("empty windows");
    }
    let mut out = Vec::new();
    for table in tables {
        let Some(Value::Time(start)) = table.group.get("_start").cloned() else {
            return wrong("range");
        };
        let mut windows: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for row in &table.rows {
            let window = (time(row) - offset).div_euclid(every) * every + offset;
            match row.get(&name) {
                Some(Value::Integer(number)) => windows.entry(window).or_default().push(*number),
                other => return wrong(format!("column {name} is {other:?}")),
            }
        }
        let rows = windows.into_iter().map(|(window, numbers)| {
            let number = match function.as_str() {
                "min" => *numbers.iter().min().unwrap(),
                "max" => *numbers.iter().max().unwrap(),
                "sum" => numbers.iter().sum(),
                "count" => numbers.len() as i64,
                other => return wrong(format!("undefined identifier {other}")),
            };
            // The first window is cut to the range.
            let at = Value::Time(window.max(start));
            Ok(BTreeMap::from([("_time".into(), at), (name.clone(), Value::Integer(number))]))
        });
        let rows = rows.collect::<Got<Vec<_>>>()?;
        out.push(Table { group: table.group, rows });
    }
    Ok(out)
}
