//! Secrets in names and values that are shown to anybody who asks (`admin/configuration`, `admin/os-env`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Parts of names whose values are secrets.
const SECRET_WORDS: [&str; 7] =
    ["password", "passwd", "secret", "token", "credential", "private_key", "private.key"];
/// What is shown instead.
const MASK: &str = "********";

/// The pairs as a flat JSON object, with secrets masked.
pub(crate) fn masked(pairs: &BTreeMap<String, String>) -> Value {
    let shown =
        pairs.iter().map(|(name, value)| (name.clone(), Value::String(masked_value(name, value))));
    Value::Object(shown.collect::<Map<_, _>>())
}

fn masked_value(name: &str, value: &str) -> String {
    let lower = name.to_lowercase();
    if SECRET_WORDS.iter().any(|word| lower.contains(word)) {
        MASK.to_owned()
    } else {
        without_user_info(value)
    }
}

/// `postgres://user:secret@host/db` without the secret.
fn without_user_info(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let authority_end = rest.find('/').unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host)))
    {
        Some((user, host)) => format!("{scheme}://{user}:{MASK}@{host}{tail}"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: &str, shown: &str) {
        assert_eq!(masked_value(name, value), shown);
    }

    #[test]
    fn secrets_are_masked_by_name_and_inside_urls() {
        check("smtp.password", "x", MASK);
        check("AWS_SECRET_ACCESS_KEY", "x", MASK);
        check("listen", "127.0.0.1:11000", "127.0.0.1:11000");
        check("store", "postgres://joe:x@db:5432/howdah", "postgres://joe:********@db:5432/howdah");
        check("store", "postgres://joe@db/howdah?a=b@c", "postgres://joe@db/howdah?a=b@c");
    }
}
