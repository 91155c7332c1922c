//! What `howdah validate` prints, looked at as a person would.

use expect_test::expect;

use super::*;

const GOOD: &str = r#"<workflow-app xmlns="uri:oozie:workflow:0.5" name="a">
  <start to="done"/>
  <end name="done"/>
</workflow-app>
"#;

const BAD: &str = r#"<workflow-app xmlns="uri:oozie:workflow:0.5" name="a">
  <start to="dnoe"/>
  <end name="done"/>
</workflow-app>
"#;

fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("below the directory")).expect("writable");
        fs::write(path, text).expect("writable");
    }
    directory
}

/// What is printed of a file or directory below the temporary one, with its name taken out.
fn said(directory: &Path, name: &str, json: bool) -> (String, String, Result<(), Failure>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal {
        out: &mut out,
        err: &mut err,
        out_color: false,
        err_color: false,
        watched: false,
    };
    let done = here(&mut terminal, &directory.join(name).display().to_string(), json);
    let root = format!("{}/", directory.display());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text").replace(&root, "");
    (text(out), text(err), done)
}

#[test]
fn a_valid_definition_is_said_to_be_one() {
    let directory = written(&[("workflow.xml", GOOD)]);
    let (out, err, done) = said(directory.path(), "workflow.xml", false);
    assert_eq!((out.as_str(), err.as_str(), done), ("Valid workflow-app\n", "", Ok(())));
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    let directory = written(&[("workflow.xml", BAD)]);
    let (out, err, done) = said(directory.path(), "workflow.xml", false);
    assert_eq!((out.as_str(), done), ("", Err(Failure::Quiet(1))));
    expect![[r#"
        E0708

          × node 'start' goes to 'dnoe', which does not exist
           ╭─[workflow.xml:2:14]
         1 │ <workflow-app xmlns="uri:oozie:workflow:0.5" name="a">
         2 │   <start to="dnoe"/>
           ·              ──┬─
           ·                ╰── here
         3 │   <end name="done"/>
           ╰────
          help: did you mean 'done'?
    "#]]
    .assert_eq(&err);
}

#[test]
fn a_directory_is_searched_for_definitions() {
    let directory = written(&[
        ("a/workflow.xml", GOOD),
        ("b/c/workflow.xml", BAD),
        ("b/config-default.xml", "<configuration/>"),
    ]);
    let (out, err, done) = said(directory.path(), "", false);
    assert_eq!(done, Err(Failure::Quiet(1)));
    assert_eq!(out, "a/workflow.xml: valid workflow-app\nb/c/workflow.xml: refused E0708\n");
    assert!(err.ends_with("2 definitions, 1 valid, 1 refused\n"), "{err}");
}

#[test]
fn findings_are_told_as_json_too() {
    let directory = written(&[("workflow.xml", BAD)]);
    let (out, ..) = said(directory.path(), "workflow.xml", true);
    let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(told[0]["valid"], false);
    assert_eq!(told[0]["diagnostics"][0]["code"], "E0708");
}

#[test]
fn what_is_not_there_has_a_code() {
    let directory = written(&[("notes.txt", "")]);
    let code = |name: &str| match said(directory.path(), name, false).2 {
        Err(Failure::Coded { code, .. }) => code,
        other => format!("{other:?}"),
    };
    assert_eq!((code("missing.xml"), code("")), ("HW5007".to_owned(), "HW5007".to_owned()));
}

#[test]
fn hostile_files_are_refused_with_a_picture_or_a_line() {
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bb\">]><workflow-app/>";
    let directory = written(&[
        ("bomb.xml", bomb),
        ("empty.xml", ""),
        ("nul.xml", "<workflow-app>\0</workflow-app>"),
    ]);
    for name in ["bomb.xml", "empty.xml", "nul.xml"] {
        let (_, err, done) = said(directory.path(), name, false);
        assert_eq!(done, Err(Failure::Quiet(1)), "{name}");
        assert!(err.contains("HW000") || err.contains("E0701"), "{name}: {err}");
    }
}
