//! What a declared query reads, by name resolution alone: one SELECT over slots, every name resolved, every function on
//! the list. Plans and runs nothing; a gateway compares the columns found here with those of its engine's plan, which may
//! read fewer and never more.

mod expr;
mod finding;
mod functions;
mod literal;
mod resolver;
mod scope;
mod select;

use std::collections::BTreeMap;

use iog_protocol::ids::SlotName;
use iog_protocol::manifest::{ParamType, SQL_BYTES_MAX};
use iog_protocol::schemas::Schema;
use sqlparser::ast::Statement;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use finding::forbidden;
use resolver::Resolver;

pub use finding::QueryFinding;
pub use functions::{ALLOWED_FUNCTIONS, AllowedFunction};
pub use resolver::{ColumnsRead, DEPTH_MAX};

/// Most tokens of a query, blanks not counted: bounds the depth of what the parser builds without recursion.
pub const TOKENS_MAX: usize = 2_000;
/// Deepest nesting of parentheses, checked on the tokens: the parser recurses through dozens of large frames for each.
pub const PARENTHESES_MAX: usize = 16;

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
    let mut resolver = Resolver::new(params, slots);
    resolver.top(&query)?;
    let read = resolver.finish()?;
    iog_query::within(&iog_query::measure(&query), 1).map_err(QueryFinding::TooMuch)?;
    Ok(read)
}

pub(crate) fn parse(sql: &str) -> Result<sqlparser::ast::Query, QueryFinding> {
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

#[cfg(test)]
mod tests;
