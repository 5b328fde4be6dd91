//! Reads the text of a witness policy (C2SP tlog-policy). Names refer backwards only, and each is a member at most once, so a
//! rule is a tree: this file must keep it so, because evaluation recurses over it.

use crate::key::{KeyKind, VerifierKey};
use crate::policy::{MAX_ITEMS, MAX_POLICY_BYTES, Policy, PolicyError, PolicyLog, PolicyWitness, Rule};
use crate::text::parse_decimal;
use std::str::FromStr;

#[derive(Default)]
struct Parser {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    names: Vec<Named>,
    quorum: Option<Rule>,
}

struct Named {
    name: String,
    rule: Rule,
    /// Whether a group lists it already; a name may be a member once.
    is_member: bool,
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        parse(text)
    }
}

fn parse(text: &str) -> Result<Policy, PolicyError> {
    if text.len() > MAX_POLICY_BYTES {
        return Err(PolicyError::TooLarge);
    }
    let control = text.bytes().any(|b| (b < b' ' && b != b'\n' && b != b'\t') || b == 0x7f);
    let body = text.strip_suffix('\n').filter(|_| !control).ok_or(PolicyError::Characters)?;
    let mut parser = Parser::default();
    for (line, number) in body.split('\n').zip(1..) {
        let fields: Vec<&str> = line.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
        parser.line(&fields, number)?;
    }
    let quorum = parser.quorum.ok_or(PolicyError::Quorum)?;
    Ok(Policy { logs: parser.logs, witnesses: parser.witnesses, quorum })
}

impl Parser {
    fn line(&mut self, fields: &[&str], line: usize) -> Result<(), PolicyError> {
        match *fields {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None, line),
            ["log", key, url] => self.log(key, Some(url), line),
            ["witness", name, key] => self.witness(name, key, None, line),
            ["witness", name, key, url] => self.witness(name, key, Some(url), line),
            ["group", name, threshold, ref members @ ..] => self.group(name, threshold, members, line),
            ["quorum", name] => self.set_quorum(name),
            _ => Err(PolicyError::Line(line)),
        }
    }

    fn log(&mut self, key: &str, url: Option<&str>, line: usize) -> Result<(), PolicyError> {
        let key = parse_key(key, KeyKind::Ed25519, line)?;
        if self.logs.iter().any(|log| log.key.public() == key.public()) {
            return Err(PolicyError::DuplicateKey(line));
        }
        self.logs.push(PolicyLog { key, url: url.map(str::to_owned) });
        check_count(self.logs.len())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&str>, line: usize) -> Result<(), PolicyError> {
        let key = parse_key(key, KeyKind::CosignatureV1, line)?;
        if self.witnesses.iter().any(|witness| witness.key.public() == key.public()) {
            return Err(PolicyError::DuplicateKey(line));
        }
        self.define(name, Rule::Witness(self.witnesses.len()))?;
        self.witnesses.push(PolicyWitness { name: name.to_owned(), key, url: url.map(str::to_owned) });
        check_count(self.witnesses.len())
    }

    fn group(&mut self, name: &str, threshold: &str, members: &[&str], line: usize) -> Result<(), PolicyError> {
        if members.is_empty() {
            return Err(PolicyError::Line(line));
        }
        let threshold = match threshold {
            "all" => members.len(),
            "any" => 1,
            number => {
                let number = parse_decimal(number).map_err(|_| PolicyError::Line(line))?;
                usize::try_from(number).map_err(|_| PolicyError::Threshold(line))?
            }
        };
        if threshold == 0 || threshold > members.len() {
            return Err(PolicyError::Threshold(line));
        }
        let members = members.iter().map(|member| self.member(member)).collect::<Result<_, _>>()?;
        self.define(name, Rule::Group { threshold, members })
    }

    fn set_quorum(&mut self, name: &str) -> Result<(), PolicyError> {
        if self.quorum.is_some() {
            return Err(PolicyError::Quorum);
        }
        self.quorum = Some(if name == "none" { Rule::None } else { self.find(name)?.rule.clone() });
        Ok(())
    }

    fn define(&mut self, name: &str, rule: Rule) -> Result<(), PolicyError> {
        if name == "none" || self.names.iter().any(|known| known.name == name) {
            return Err(PolicyError::DuplicateName(name.to_owned()));
        }
        self.names.push(Named { name: name.to_owned(), rule, is_member: false });
        check_count(self.names.len() / 2)
    }

    fn find(&mut self, name: &str) -> Result<&mut Named, PolicyError> {
        let found = self.names.iter_mut().find(|known| known.name == name);
        found.ok_or_else(|| PolicyError::UnknownName(name.to_owned()))
    }

    fn member(&mut self, name: &str) -> Result<Rule, PolicyError> {
        let named = self.find(name)?;
        if std::mem::replace(&mut named.is_member, true) {
            return Err(PolicyError::DuplicateMember(name.to_owned()));
        }
        Ok(named.rule.clone())
    }
}

fn check_count(count: usize) -> Result<(), PolicyError> {
    if count > MAX_ITEMS { Err(PolicyError::TooLarge) } else { Ok(()) }
}

fn parse_key(text: &str, kind: KeyKind, line: usize) -> Result<VerifierKey, PolicyError> {
    let key: VerifierKey = text.parse().map_err(|source| PolicyError::Key { line, source })?;
    if key.kind() == kind { Ok(key) } else { Err(PolicyError::KeyKind(line)) }
}
