//! Where paths of an action stand: under the application's directory, on its file system, or on the name node's.

use model::{Configuration, ErrorClass};
use ports::files::Files;
use ports::work::Grant;

use crate::failure::{FILE_NOT_FOUND, Refusal, at_start, of_files};

/// The directory of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppDir(String);

/// Looks where the application is; its path may be the directory or the definition in it (gotcha 11).
pub(crate) async fn app_dir(files: &dyn Files, grant: &Grant) -> Result<AppDir, Refusal> {
    let path = grant.app_path.trim_end_matches('/');
    let doing = "cannot look at the application's directory";
    match files.stat(&grant.user, path).await.map_err(|error| of_files(doing, &error))? {
        Some(found) if found.is_dir => Ok(AppDir(path.to_owned())),
        Some(_) => Ok(AppDir(path.rsplit_once('/').map_or(path, |(parent, _)| parent).to_owned())),
        None => Err(at_start(
            ErrorClass::Error,
            FILE_NOT_FOUND,
            format!("the application `{path}` does not exist any more"),
        )),
    }
}

impl AppDir {
    /// The full URI of a path that an action names.
    pub(crate) fn resolve(&self, path: &str, name_node: Option<&str>) -> String {
        if has_scheme(path) {
            path.to_owned()
        } else if path.starts_with('/') {
            format!(
                "{}{path}",
                authority(name_node.filter(|node| has_scheme(node)).unwrap_or(&self.0))
            )
        } else {
            format!("{}/{path}", self.0)
        }
    }

    /// Directories whose files every launched action gets: `lib`, and those of `oozie.libpath`.
    pub(crate) fn libraries(&self, action: &Configuration, job: &Configuration) -> Vec<String> {
        const LIBPATH: &str = "oozie.libpath";
        let listed = action.get(LIBPATH).or_else(|| job.get(LIBPATH)).unwrap_or_default();
        let listed = listed.split(',').map(str::trim).filter(|path| !path.is_empty());
        std::iter::once(format!("{}/lib", self.0))
            .chain(listed.map(|path| self.resolve(path, None)))
            .collect()
    }
}

/// Whether a path says its file system.
pub(crate) fn has_scheme(path: &str) -> bool {
    let Some((scheme, _)) = path.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// `scheme://authority` of a URI; nothing for a bare path.
pub(crate) fn authority(uri: &str) -> &str {
    if !has_scheme(uri) {
        return "";
    }
    let scheme_end = uri.find(':').map_or(0, |colon| colon + 1);
    let Some(rest) = uri[scheme_end..].strip_prefix("//") else { return &uri[..scheme_end] };
    let authority_len = rest.find('/').unwrap_or(rest.len());
    &uri[..scheme_end + 2 + authority_len]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stand_where_oozie_puts_them() {
        let app = AppDir("hdfs://nn:8020/apps/a".to_owned());
        let check = |path: &str, name_node, expected: &str| {
            assert_eq!(app.resolve(path, name_node), expected)
        };
        check("x.sh", None, "hdfs://nn:8020/apps/a/x.sh");
        check("/data/x", None, "hdfs://nn:8020/data/x");
        check("/data/x", Some("hdfs://other"), "hdfs://other/data/x");
        check("/data/x", Some("file:///"), "file:///data/x");
        check("s3a://b/x", Some("file:///"), "s3a://b/x");
        let local = AppDir("/apps/a".to_owned());
        assert_eq!(local.resolve("/data/x", None), "/data/x");
        assert_eq!(local.resolve("lib/x", None), "/apps/a/lib/x");
    }

    #[test]
    fn libraries_are_lib_and_the_listed_ones() {
        let app = AppDir("file:///a".to_owned());
        let job = Configuration::from_iter([("oozie.libpath", "/share, file:///more")]);
        let found = app.libraries(&Configuration::new(), &job);
        assert_eq!(found, ["file:///a/lib", "file:///share", "file:///more"]);
    }
}
