//! What a declared query reads, by name resolution alone: one SELECT over slots, every name resolved, every function on
//! the list. Plans and runs nothing; a gateway compares the columns found here with those of its engine's plan, which may
//! read fewer and never more.

mod expr;
mod functions;
mod literal;
mod scope;
mod select;

use std::collections::{BTreeMap, BTreeSet};

use iog_protocol::ids::SlotName;
use iog_protocol::manifest::{ParamType, SQL_BYTES_MAX};
use iog_protocol::schemas::Schema;
use sqlparser::ast::Statement;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

pub use functions::{ALLOWED_FUNCTIONS, AllowedFunction};

/// Most tokens of a query, blanks not counted: bounds the depth of what the parser builds without recursion.
pub const TOKENS_MAX: usize = 2_000;
/// Deepest nesting of expressions and subqueries; a chain of ANDs counts one level each.
pub const DEPTH_MAX: usize = 64;

/// Deepest nesting of parentheses, checked on the tokens: the parser recurses through dozens of large frames for each.
pub const PARENTHESES_MAX: usize = 16;

/// Columns read, by slot. A slot that is read without any column (`count(*)`) is there with none.
pub type ColumnsRead = BTreeMap<SlotName, BTreeSet<String>>;

/// Why a query may not be asked: its author's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryFinding {
    /// Not SQL.
    #[error("it is not SQL: {0}")]
    Syntax(String),
    /// Larger than a limit.
    #[error("it has more than {max} {what}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// How much there may be.
        max: usize,
    },
    /// SQL, but of a kind that is not allowed.
    #[error("{0} is not allowed")]
    Forbidden(String),
    /// A wildcard, which hides what is read.
    #[error("a wildcard is not allowed: name the columns")]
    Wildcard,
    /// A function that is not on the list, or with another number of arguments.
    #[error("function `{name}` is not allowed here: {expected}")]
    Function {
        /// The function.
        name: String,
        /// What is allowed.
        expected: String,
    },
    /// A table that is no slot of the manifest.
    #[error("table `{name}` is no slot of the manifest: slots are {slots}")]
    UnknownSlot {
        /// The table.
        name: String,
        /// The slots there are.
        slots: String,
    },
    /// A column that does not exist.
    #[error("column `{name}` does not exist: there are {columns}")]
    UnknownColumn {
        /// As written.
        name: String,
        /// The columns in sight, shortened.
        columns: String,
    },
    /// A name with two meanings.
    #[error("name `{name}` is ambiguous: {reason}")]
    Ambiguous {
        /// As written.
        name: String,
        /// Between what.
        reason: String,
    },
    /// A parameter that is not declared.
    #[error("parameter `{name}` is not declared")]
    UndeclaredParam {
        /// As written.
        name: String,
    },
    /// A declared parameter that the query does not use.
    #[error("parameter `{name}` is declared and not used")]
    UnusedParam {
        /// Its name.
        name: String,
    },
    /// A parameter of type `prefix` elsewhere than as second argument of `ip_in`.
    #[error("parameter `{name}` is a prefix: it can only be the second argument of `ip_in`")]
    MisplacedPrefix {
        /// Its name.
        name: String,
    },
}

/// The columns that a query reads of each slot, also if only to filter, join or sort.
///
/// # Errors
/// [`QueryFinding`], the first thing that is not allowed or does not resolve.
pub fn columns_of(
    sql: &str,
    params: &[(String, ParamType)],
    slots: &BTreeMap<SlotName, &'static Schema>,
) -> Result<ColumnsRead, QueryFinding> {
    let query = parse(sql)?;
    let mut resolver = select::Resolver::new(params, slots);
    resolver.top(&query)?;
    resolver.finish()
}

fn parse(sql: &str) -> Result<sqlparser::ast::Query, QueryFinding> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(QueryFinding::TooLarge { what: "bytes", max: SQL_BYTES_MAX });
    }
    let syntax = |error: &dyn ToString| QueryFinding::Syntax(crate::text::clean(&error.to_string(), 200));
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize().map_err(|error| syntax(&error))?;
    if tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).count() > TOKENS_MAX {
        return Err(QueryFinding::TooLarge { what: "tokens", max: TOKENS_MAX });
    }
    check_parentheses(&tokens)?;
    let mut statements = Parser::parse_sql(&GenericDialect {}, sql).map_err(|error| syntax(&error))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(*query),
        (Some(_), true) => {
            let verb = tokens.iter().find_map(|token| match token {
                Token::Word(word) => Some(word.value.to_ascii_uppercase()),
                _ => None,
            });
            Err(forbidden(format!("the statement {}", crate::text::clean(&verb.unwrap_or_default(), 40))))
        }
        (Some(_), false) => Err(forbidden("more than one statement")),
        (None, _) => Err(QueryFinding::Syntax("it is empty".to_owned())),
    }
}

fn check_parentheses(tokens: &[Token]) -> Result<(), QueryFinding> {
    let mut depth = 0_usize;
    for token in tokens {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            _ => (),
        }
        if depth > PARENTHESES_MAX {
            return Err(QueryFinding::TooLarge { what: "levels of parentheses", max: PARENTHESES_MAX });
        }
    }
    Ok(())
}

fn forbidden(what: impl Into<String>) -> QueryFinding {
    QueryFinding::Forbidden(what.into())
}

/// The first thing of a list that was found.
fn refuse_any(found: &[(bool, &str)]) -> Result<(), QueryFinding> {
    match found.iter().find(|(found, _)| *found) {
        Some((_, what)) => Err(forbidden(*what)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
