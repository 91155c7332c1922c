//! The name somebody probably meant: the nearest of the known ones, by edit distance.

/// Longer names are not compared: the cost grows with the square, and nobody mistypes them into one another.
const MAX_NAME_CHARS: usize = 64;

/// The known name nearest to `name`, if it is near enough to be worth saying: at most a third of its letters differ.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let reach = (length / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| {
            length <= MAX_NAME_CHARS && candidate.chars().count().abs_diff(length) <= reach
        })
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= reach)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour; upper and lower case are alike.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        let known = ["configuration", "capture-output", "exec", "file"];
        assert_eq!(nearest("configuraton", known), Some("configuration"));
        assert_eq!(nearest("captureOutput", known), Some("capture-output"));
        assert_eq!(nearest("Exec", known), Some("exec"));
        assert_eq!(nearest("exce", known), Some("exec"));
        assert_eq!(nearest("script", known), None);
        assert_eq!(nearest("", known), None);
    }
}
