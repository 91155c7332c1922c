//! The configuration of a job as the command line gives it: a properties or XML file, then `-D` over it.

use std::fs;
use std::path::Path;

use model::Configuration;

use crate::failure::Failure;

/// Who submits; Oozie's client always sends it.
pub const USER_NAME: &str = "user.name";

/// Whether a configuration was given at all: a file, or a `-D`. Oozie takes a file that is missing for none, and a rerun
/// with a misspelt one then silently goes without; here that is an error.
pub fn is_given(file: Option<&str>, defines: &[String]) -> bool {
    file.is_some() || !defines.is_empty()
}

/// `user.name`, then the file, then each `-Dname=value`; the later one wins.
///
/// # Errors
/// When nothing is given, or the file cannot be read.
pub fn gathered(
    file: Option<&str>,
    defines: &[String],
    user: &str,
) -> Result<Configuration, Failure> {
    if !is_given(file, defines) {
        return Err(Failure::Plain("configuration is not specified".to_owned()));
    }
    let mut conf = Configuration::from_iter([(USER_NAME, user)]);
    if let Some(file) = file {
        conf.overlay(&from_file(file)?);
    }
    for define in defines {
        let (name, value) = defined(define);
        conf.set(name, value);
    }
    Ok(conf)
}

/// Reads a `.properties` or `.xml` file.
///
/// # Errors
/// When it is missing, of another kind, or malformed.
pub fn from_file(file: &str) -> Result<Configuration, Failure> {
    if !Path::new(file).exists() {
        return Err(Failure::Plain(format!("configuration file [{file}] not found")));
    }
    let unreadable =
        |error| Failure::Plain(format!("cannot read the configuration file [{file}]: {error}"));
    let bytes = fs::read(file).map_err(unreadable)?;
    let limits = definition::Limits::configuration();
    let malformed = |problem: model::Diagnostic| {
        Failure::coded(problem.code.clone(), format!("{file}: {problem}"))
    };
    let text = definition::decode(&bytes, limits).map_err(malformed)?;
    match Path::new(file).extension().and_then(|extension| extension.to_str()) {
        Some("properties") => definition::read_properties(text).map_err(malformed),
        Some("xml") => definition::read_configuration(text).map_err(|problems| {
            match problems.into_iter().next() {
                Some(first) => malformed(first),
                None => Failure::Plain(format!("cannot read the configuration file [{file}]")),
            }
        }),
        _ => {
            Err(Failure::Plain("configuration must be a '.properties' or a '.xml' file".to_owned()))
        }
    }
}

/// `name=value`; without a `=` the value is `true`, as in Oozie's parser.
fn defined(define: &str) -> (&str, &str) {
    define.split_once('=').unwrap_or((define, "true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> (tempfile::TempDir, String) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(name);
        fs::write(&path, text).expect("writable");
        let path = path.display().to_string();
        (directory, path)
    }

    #[track_caller]
    fn check(name: &str, text: &str, defines: &[&str], expected: &[(&str, &str)]) {
        let (_directory, path) = file(name, text);
        let defines: Vec<String> = defines.iter().map(|define| (*define).to_owned()).collect();
        let conf = gathered(Some(&path), &defines, "joe").expect(name);
        assert_eq!(conf.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn defines_win_over_the_file_and_the_user_is_added() {
        check(
            "job.properties",
            "a=1\nb : two\n",
            &["b=3", "c", "d=x=y"],
            &[("a", "1"), ("b", "3"), ("c", "true"), ("d", "x=y"), ("user.name", "joe")],
        );
        let xml = "<configuration><property><name>user.name</name><value>ann</value></property></configuration>";
        check("job.xml", xml, &[], &[("user.name", "ann")]);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let said =
            |file: Option<&str>| gathered(file, &[], "joe").expect_err("unusable").to_string();
        assert_eq!(said(None), "configuration is not specified");
        let missing = "configuration file [/nonexistent/job.properties] not found";
        assert_eq!(said(Some("/nonexistent/job.properties")), missing);
        let (_directory, path) = file("job.txt", "a=1");
        assert_eq!(said(Some(&path)), "configuration must be a '.properties' or a '.xml' file");
        let with_define = gathered(Some("/nonexistent/x.properties"), &["a=1".to_owned()], "joe");
        let error = with_define.expect_err("missing").to_string();
        assert_eq!(error, "configuration file [/nonexistent/x.properties] not found");
    }
}
