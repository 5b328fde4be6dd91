//! Declared queries and their answers: open with values, go through the batches, read columns by name. It composes no
//! SQL and decides nothing about access; the host does.

use crate::bindings::iog::guest::data::{self, Column as ColumnInfo, Fault, Kind, Param};
use crate::column::{Column, Nulls, Texts, addresses};
use crate::error::{Error, kind_name};
use crate::{Address, Prefix};

/// A query of the manifest, by name, to be opened with values for its parameters.
#[must_use]
pub fn query(name: &str) -> Query {
    Query { name: name.to_owned(), params: Vec::new() }
}

/// A query and the values bound so far.
#[derive(Debug)]
pub struct Query {
    name: String,
    params: Vec<Param>,
}

impl Query {
    /// Gives the next parameter its value, in the order in which the manifest declares them.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Param>) -> Self {
        self.params.push(value.into());
        self
    }

    /// Starts the query.
    ///
    /// # Errors
    /// `NotGranted`, `UnknownQuery`, `BadParam` or `Unavailable`.
    pub fn open(self) -> Result<Rows, Error> {
        let cursor = data::open(&self.name, &self.params).map_err(|fault| Error::from_fault(&self.name, fault))?;
        let columns = cursor.columns();
        Ok(Rows { query: self.name, cursor, columns })
    }
}

/// The answer of a query, batch after batch.
#[derive(Debug)]
pub struct Rows {
    query: String,
    cursor: data::Rows,
    columns: Vec<ColumnInfo>,
}

impl Rows {
    /// Names and kinds of the columns, in the order of the query.
    #[must_use]
    pub fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// Goes to the next batch; `None` when there are no more rows.
    ///
    /// # Errors
    /// `Unavailable` when the provider's data source fails on the way.
    // Not an iterator: a batch borrows the cursor, and there is only one at a time.
    #[expect(clippy::should_implement_trait, reason = "a batch borrows the cursor, which an iterator's item cannot")]
    pub fn next(&mut self) -> Result<Option<Batch<'_>>, Error> {
        match self.cursor.advance() {
            Ok(0) => Ok(None),
            Ok(rows) => Ok(Some(Batch { rows: self, len: rows as usize })),
            Err(fault) => Err(Error::from_fault(&self.query, fault)),
        }
    }

    fn column(&self, name: &str, wanted: Kind) -> Result<u32, Error> {
        let index = position(&self.query, &self.columns, name, wanted)?;
        u32::try_from(index).map_err(|_| Error::Host("more columns than can be numbered".to_owned()))
    }
}

/// Where the column of this name and kind is.
fn position(query: &str, columns: &[ColumnInfo], name: &str, wanted: Kind) -> Result<usize, Error> {
    let Some(index) = columns.iter().position(|column| column.name == name) else {
        return Err(Error::NoColumn { query: query.to_owned(), column: name.to_owned() });
    };
    let found = columns[index].kind;
    if found == wanted {
        return Ok(index);
    }
    Err(Error::WrongKind {
        query: query.to_owned(),
        column: name.to_owned(),
        wanted: kind_name(wanted),
        found: kind_name(found),
    })
}

/// Up to 65,536 rows, read a column at a time: each call copies one column into the module.
#[derive(Debug)]
pub struct Batch<'a> {
    rows: &'a Rows,
    len: usize,
}

impl Batch<'_> {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows; never so for a batch that `Rows::next` gave.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A column of signed integers, or of timestamps in microseconds since the epoch (UTC).
    ///
    /// # Errors
    /// `NoColumn`, `WrongKind`, or what the host answers; so for every kind below.
    pub fn i64s(&self, name: &str) -> Result<Column<i64>, Error> {
        self.read(name, Kind::Int, data::Rows::ints)
    }

    /// A column of unsigned integers.
    ///
    /// # Errors
    /// As `i64s`.
    pub fn u64s(&self, name: &str) -> Result<Column<u64>, Error> {
        self.read(name, Kind::Uint, data::Rows::uints)
    }

    /// A column of floats.
    ///
    /// # Errors
    /// As `i64s`.
    pub fn f64s(&self, name: &str) -> Result<Column<f64>, Error> {
        self.read(name, Kind::Float, data::Rows::floats)
    }

    /// A column of flags.
    ///
    /// # Errors
    /// As `i64s`.
    pub fn bools(&self, name: &str) -> Result<Column<bool>, Error> {
        let column = self.read(name, Kind::Boolean, data::Rows::bools)?;
        Ok(Column::new(column.values().iter().map(|&byte| byte != 0).collect(), column.nulls().clone()))
    }

    /// A column of addresses.
    ///
    /// # Errors
    /// As `i64s`.
    pub fn addresses(&self, name: &str) -> Result<Column<Address>, Error> {
        let index = self.rows.column(name, Kind::Address)?;
        let bytes = self.ask(|cursor| cursor.addresses(index))?;
        let values = addresses(&bytes)?;
        self.complete(name, values.len())?;
        Ok(Column::new(values, self.nulls(index)?))
    }

    /// A column of text.
    ///
    /// # Errors
    /// As `i64s`.
    pub fn texts(&self, name: &str) -> Result<Texts, Error> {
        self.offsets_and_bytes(name, Kind::Text)
    }

    /// A column of bytes.
    ///
    /// # Errors
    /// As `i64s`.
    pub fn bytes(&self, name: &str) -> Result<Texts, Error> {
        self.offsets_and_bytes(name, Kind::Bytes)
    }

    fn offsets_and_bytes(&self, name: &str, kind: Kind) -> Result<Texts, Error> {
        let index = self.rows.column(name, kind)?;
        let texts = self.ask(|cursor| cursor.texts(index))?;
        let nulls = self.nulls(index)?;
        let texts = Texts::new(texts.offsets, texts.bytes, nulls);
        self.complete(name, texts.len())?;
        Ok(texts)
    }

    fn read<T: Copy>(
        &self,
        name: &str,
        kind: Kind,
        call: impl FnOnce(&data::Rows, u32) -> Result<Vec<T>, Fault>,
    ) -> Result<Column<T>, Error> {
        let index = self.rows.column(name, kind)?;
        let values = self.ask(|cursor| call(cursor, index))?;
        self.complete(name, values.len())?;
        Ok(Column::new(values, self.nulls(index)?))
    }

    fn nulls(&self, index: u32) -> Result<Nulls, Error> {
        self.ask(|cursor| cursor.nulls(index)).map(Nulls::new)
    }

    fn ask<T>(&self, call: impl FnOnce(&data::Rows) -> Result<T, Fault>) -> Result<T, Error> {
        call(&self.rows.cursor).map_err(|fault| Error::from_fault(&self.rows.query, fault))
    }

    fn complete(&self, column: &str, found: usize) -> Result<(), Error> {
        if found == self.len {
            return Ok(());
        }
        Err(Error::Host(format!("column `{column}` has {found} values in a batch of {} rows", self.len)))
    }
}

macro_rules! param {
    ($($from:ty => $value:ident $to:expr;)*) => {
        $(impl From<$from> for Param {
            fn from($value: $from) -> Self {
                $to
            }
        })*
    };
}

param! {
    String => value Self::Text(value);
    &String => value Self::Text(value.clone());
    &str => value Self::Text(value.to_owned());
    Address => value Self::Text(value.to_string());
    Prefix => value Self::Text(value.to_string());
    i64 => value Self::Int(value);
    u64 => value Self::Uint(value);
    u32 => value Self::Uint(u64::from(value));
    f64 => value Self::Float(value);
    bool => value Self::Flag(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_found_by_name_and_kind() {
        let columns = [
            ColumnInfo { name: "src".into(), kind: Kind::Address },
            ColumnInfo { name: "packets".into(), kind: Kind::Uint },
        ];
        assert_eq!(position("q", &columns, "packets", Kind::Uint), Ok(1));
        let message = |name, kind| position("q", &columns, name, kind).unwrap_err().to_string();
        assert_eq!(message("packets", Kind::Int), "column `packets` of query `q` holds uint, not int");
        assert_eq!(message("bytes", Kind::Uint), "query `q` has no column `bytes`");
    }

    #[test]
    fn values_become_the_parameters_that_the_contract_has() {
        let prefix: Prefix = "192.0.2.0/24".parse().unwrap();
        let query = query("q").bind(prefix).bind(-1i64).bind(7u32).bind("x").bind(true);
        assert_eq!(
            format!("{:?}", query.params),
            r#"[Param::Text("192.0.2.0/24"), Param::Int(-1), Param::Uint(7), Param::Text("x"), Param::Flag(true)]"#
        );
    }
}
