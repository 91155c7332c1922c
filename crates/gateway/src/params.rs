//! Query parameters as Oozie reads them: the first of a name counts, unknown ones are ignored (census §5.1).

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::Failure;

/// The parameters of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `E0305` when it is missing.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| Failure::bad("E0305", format!("Missing parameter [{name}]")))
    }

    /// A whole number, or `None` when it is absent; `E0304` when it is none.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        let wrong = |_| {
            Failure::bad(
                "E0304",
                format!("Invalid parameter type, parameter [{name}] expected type [Integer]"),
            )
        };
        self.get(name).map(|text| text.trim().parse().map_err(wrong)).transpose()
    }

    /// `1`, `yes` or `true`, in any case; anything else and nothing are no.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| {
            ["1", "yes", "true"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
        })
    }

    /// From where (1 is the first) and how many: what is below 1 or absent is the default.
    pub(crate) fn page(&self, len_default: u32, len_max: u32) -> Result<Page, Failure> {
        let at_least_one = |number: i64| u32::try_from(number).ok().filter(|number| *number > 0);
        let offset = self.integer("offset")?.and_then(at_least_one).unwrap_or(1);
        let len = self.integer("len")?.and_then(at_least_one).unwrap_or(len_default);
        Ok(Page { offset, len: len.min(len_max) })
    }
}

/// A page of a list, as Oozie counts: from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) offset: u32,
    pub(crate) len: u32,
}

impl Page {
    /// How many come before the page.
    pub(crate) fn skipped(self) -> u32 {
        self.offset - 1
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Params, Failure> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        query
            .map(|Query(pairs)| Params(pairs))
            .map_err(|error| Failure::bad("E0306", format!("Invalid parameter: {error}")))
    }
}

/// The variable parts of a path; `E0301` when they are no text.
#[derive(Clone, Debug)]
pub(crate) struct Located<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Located<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Located<T>, Failure> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Located(value))
            .map_err(|error| Failure::bad("E0301", format!("Invalid resource: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        )
    }

    #[track_caller]
    fn check(pairs: &[(&str, &str)], page: Result<(u32, u32), &str>) {
        let found = params(pairs)
            .page(50, 100)
            .map(|page| (page.offset, page.len))
            .map_err(|failure| failure.code);
        assert_eq!(found, page.map_err(str::to_owned));
    }

    #[test]
    fn pages_count_from_one_and_are_bounded() {
        check(&[], Ok((1, 50)));
        check(&[("offset", "0"), ("len", "-1")], Ok((1, 50)));
        check(&[("offset", "51"), ("len", "10"), ("len", "11")], Ok((51, 10)));
        check(&[("len", "1000000")], Ok((1, 100)));
        check(&[("len", "99999999999999")], Ok((1, 50)));
        check(&[("offset", "x")], Err("E0304"));
    }

    #[test]
    fn yes_has_three_words() {
        for (word, yes) in [("1", true), ("YES", true), ("True", true), ("", false), ("on", false)]
        {
            assert_eq!(params(&[("show-kill", word)]).is_set("show-kill"), yes, "{word}");
        }
    }
}
