//! The known key that somebody probably meant, by edit distance.

/// The known key nearest to `key`, when at most a third of its letters differ.
pub(crate) fn nearest<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let reach = (key.chars().count() / 3).max(1);
    let measured = known.into_iter().map(|candidate| (distance(key, candidate), candidate));
    measured.filter(|(distance, _)| *distance <= reach).min().map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out or replaced.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_keys_are_offered_and_far_ones_are_not() {
        let known = ["server.listen", "server.data_dir", "worker.slots"];
        assert_eq!(nearest("server.listn", known), Some("server.listen"));
        assert_eq!(nearest("worker.slot", known), Some("worker.slots"));
        assert_eq!(nearest("nothing.alike", known), None);
    }
}
