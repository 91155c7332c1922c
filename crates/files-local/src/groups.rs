//! From a group's name to its number.

use std::fs;
use std::process::Command;

/// `/etc/group` is read whole; directories of companies live in LDAP, behind `getent`.
const GROUP_FILE: &str = "/etc/group";

/// The number of a group: a number given as such, the name in `/etc/group`, or what `getent` knows of it.
pub(crate) fn id_of(group: &str) -> Option<u32> {
    if let Ok(number) = group.parse() {
        return Some(number);
    }
    let listed = fs::read_to_string(GROUP_FILE).unwrap_or_default();
    find(&listed, group).or_else(|| find(&ask_getent(group)?, group))
}

fn ask_getent(group: &str) -> Option<String> {
    let output = Command::new("getent").args(["group", "--", group]).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

/// Lines are `name:password:number:members`.
fn find(lines: &str, group: &str) -> Option<u32> {
    lines.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == group).then(|| fields.nth(1))??.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let lines = "root:x:0:\nusers:x:100:ann,bob\nbroken\n";
        assert_eq!(find(lines, "users"), Some(100));
        assert_eq!(find(lines, "user"), None);
        assert_eq!(find(lines, "broken"), None);
        assert_eq!(id_of("1234"), Some(1234));
    }
}
