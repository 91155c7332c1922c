//! What things are called in NATS. Subjects have no room for dots, spaces and the like, so names are written in a way
//! that can be read back: all but letters, digits, `_` and `-` of ASCII becomes `%` and two hex digits per byte.

use std::fmt::Write as _;

use model::Shard;

/// The server takes names of consumers up to 255 bytes; longer ones keep their beginning and end in a digest.
const CONSUMER_BYTES_MAX: usize = 200;
/// What stands for the empty name, since a part of a subject cannot be empty.
const EMPTY: &str = "%";

/// The names of one namespace.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    namespace: String,
}

impl Names {
    pub(crate) fn new(namespace: &str) -> Names {
        Names { namespace: written(namespace) }
    }

    /// The stream with the bells.
    pub(crate) fn stream(&self) -> String {
        format!("HOWDAH_{}_WORK", self.namespace)
    }

    /// All that the stream keeps.
    pub(crate) fn all_work(&self) -> String {
        format!("{}.work.*.*", self.namespace)
    }

    /// The bell of a pool in a shard.
    pub(crate) fn work(&self, pool: &str, shard: Shard) -> String {
        format!("{}.work.{}.{shard}", self.namespace, written(pool))
    }

    /// The bells of a pool.
    pub(crate) fn work_of(&self, pool: &str) -> String {
        format!("{}.work.{}.*", self.namespace, written(pool))
    }

    /// Which bell it is.
    pub(crate) fn read_work(&self, subject: &str) -> Option<(String, Shard)> {
        let rest = subject.strip_prefix(&*self.namespace)?.strip_prefix(".work.")?;
        let (pool, shard) = rest.split_once('.')?;
        Some((read(pool)?, Shard(shard.parse().ok()?)))
    }

    /// The consumer of a pool's bells.
    pub(crate) fn consumer(&self, pool: &str) -> String {
        let name = written(pool);
        if name.len() <= CONSUMER_BYTES_MAX {
            return name;
        }
        format!("{}-{:016x}", &name[..CONSUMER_BYTES_MAX], digest(&name))
    }

    /// Where the next bell of a pool is asked for.
    pub(crate) fn pull(&self, pool: &str) -> String {
        format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.stream(), self.consumer(pool))
    }

    /// News about a shard's history.
    pub(crate) fn history(&self, shard: Shard) -> String {
        format!("{}.history.{shard}", self.namespace)
    }

    /// News about every shard's history.
    pub(crate) fn all_history(&self) -> String {
        format!("{}.history.*", self.namespace)
    }

    /// Which shard the news are about.
    pub(crate) fn read_history(&self, subject: &str) -> Option<Shard> {
        let shard = subject.strip_prefix(&*self.namespace)?.strip_prefix(".history.")?;
        shard.parse().ok().map(Shard)
    }
}

fn written(name: &str) -> String {
    if name.is_empty() {
        return EMPTY.to_owned();
    }
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => text.push(char::from(byte)),
            other => {
                let _a_string_takes_all = write!(text, "%{other:02X}");
            }
        }
    }
    text
}

fn read(text: &str) -> Option<String> {
    if text == EMPTY {
        return Some(String::new());
    }
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// FNV-1a: the same in every version of every process that shares a consumer.
fn digest(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let names = Names::new("prod.eu 1");
        let check = |pool: &str, subject: &str| {
            assert_eq!(names.work(pool, Shard(7)), subject);
            assert_eq!(names.read_work(subject), Some((pool.to_owned(), Shard(7))));
        };
        check("default", "prod%2Eeu%201.work.default.7");
        check("spark-3_x", "prod%2Eeu%201.work.spark-3_x.7");
        check("a.b c", "prod%2Eeu%201.work.a%2Eb%20c.7");
        check("100%", "prod%2Eeu%201.work.100%25.7");
        check("größe*>", "prod%2Eeu%201.work.gr%C3%B6%C3%9Fe%2A%3E.7");
        check("", "prod%2Eeu%201.work.%.7");
    }

    #[test]
    fn other_subjects_are_not_bells() {
        let names = Names::new("n");
        for subject in ["n.work.a", "n.work.a.x", "m.work.a.1", "n.work.%2.1", "n.work.%C3.1", ""] {
            assert_eq!(names.read_work(subject), None, "{subject}");
        }
        assert_eq!(names.read_history("n.history.12"), Some(Shard(12)));
        assert_eq!(names.read_history("n.history.12.3"), None);
    }

    #[test]
    fn long_names_have_consumers_of_their_own() {
        let names = Names::new("n");
        let (one, other) = (names.consumer(&"ö".repeat(300)), names.consumer(&"ö".repeat(301)));
        assert_ne!(one, other);
        assert!(one.len() < 255 && other.len() < 255);
    }
}
