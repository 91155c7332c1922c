//! A read that is the same for both databases: SQL as PostgreSQL writes it, arguments, rows of plain cells.
//!
//! The few idioms that SQLite spells otherwise are translated by [`for_sqlite`]; everything else in `sql/read` is common to both.

use std::future::Future;

use ports::store::StoreError;

/// A value that goes into a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arg {
    Number(i64),
    Text(String),
    Numbers(Vec<i64>),
    Texts(Vec<String>),
}

/// A value that comes out of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Number(i64),
    Text(String),
}

/// Cells of one row, taken out from left to right.
#[derive(Debug)]
pub(crate) struct Row {
    what: &'static str,
    cells: std::vec::IntoIter<Cell>,
}

impl Row {
    pub(crate) fn new(what: &'static str, cells: Vec<Cell>) -> Row {
        Row { what, cells: cells.into_iter() }
    }

    /// The next cell as a number.
    pub(crate) fn number<N: TryFrom<i64>>(&mut self) -> Result<N, StoreError> {
        match self.cells.next() {
            Some(Cell::Number(number)) => {
                N::try_from(number).map_err(|_| self.corrupt(format!("{number} is out of range")))
            }
            other => Err(self.corrupt(format!("{other:?} where a number belongs"))),
        }
    }

    /// The next cell as a text.
    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        self.maybe_text()?.ok_or_else(|| self.corrupt("nothing where a text belongs"))
    }

    /// The next cell as a text, or nothing.
    pub(crate) fn maybe_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.cells.next() {
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Null) => Ok(None),
            other => Err(self.corrupt(format!("{other:?} where a text belongs"))),
        }
    }

    /// The next cell as what its text stands for.
    pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
    ) -> Result<T, StoreError> {
        let text = self.text()?;
        text.parse().map_err(|error| self.corrupt(error))
    }

    /// The next cell as what its JSON stands for.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let text = self.text()?;
        serde_json::from_str(&text).map_err(|error| self.corrupt(error))
    }

    /// This row holds something that cannot be.
    pub(crate) fn corrupt(&self, message: impl std::fmt::Display) -> StoreError {
        corrupt(self.what, message)
    }
}

/// Something that cannot be was read while we did `what`.
pub(crate) fn corrupt(what: &'static str, message: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what, source_message: message.to_string() }
}

/// A database that answers reads.
pub(crate) trait Query: Sync {
    /// Runs one statement in a snapshot of its own. `what` completes "the database does not answer while we ...".
    fn query(
        &self,
        what: &'static str,
        sql: &str,
        args: Vec<Arg>,
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;
}

/// The same statement for SQLite: an array is a JSON text there, and `strpos` is `instr`.
pub(crate) fn for_sqlite(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 32);
    let mut rest = sql;
    while let Some(at) = rest.find("= ANY(") {
        let (before, after) = rest.split_at(at);
        let end = after.find(')').map_or(after.len(), |end| end + 1);
        let argument = after[..end].trim_start_matches("= ANY(").trim_end_matches(')');
        out.extend([before, "IN (SELECT value FROM json_each(", argument, "))"]);
        rest = &after[end..];
    }
    out.push_str(rest);
    out.replace("strpos(", "instr(")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_positions_are_translated() {
        assert_eq!(
            for_sqlite("a = ANY($1) AND strpos(b, $2) > 0 AND c = ANY($3) LIMIT 1"),
            "a IN (SELECT value FROM json_each($1)) AND instr(b, $2) > 0 AND c IN (SELECT value FROM json_each($3)) LIMIT 1"
        );
    }

    #[test]
    fn a_cell_of_the_wrong_kind_is_told() {
        let mut row =
            Row::new("test", vec![Cell::Text("x".to_owned()), Cell::Number(70_000), Cell::Null]);
        assert!(row.number::<i64>().is_err());
        assert!(row.number::<u16>().expect_err("it is refused").to_string().contains("70000"));
        assert_eq!(row.maybe_text(), Ok(None));
        assert!(row.text().is_err());
    }
}
