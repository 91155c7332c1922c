//! The codes of findings that this crate makes up itself, beside Oozie's `E07##` which stand where they are used.

/// Oozie: the definition is longer than allowed.
pub(crate) const TOO_LONG: &str = "E0736";
/// Oozie: the definition breaks its schema, or is not well-formed.
pub(crate) const SCHEMA: &str = "E0701";
/// Oozie: an XML fragment can't be read.
pub(crate) const XML: &str = "E0700";
/// Ours: the file is no text.
pub(crate) const NOT_TEXT: &str = "HW0001";
/// Ours: the text is not UTF-8.
pub(crate) const NOT_UTF8: &str = "HW0002";
/// Ours: the document declares a document type, which could define entities.
pub(crate) const DOCUMENT_TYPE: &str = "HW0003";
/// Ours: elements are nested too deeply.
pub(crate) const TOO_DEEP: &str = "HW0004";
/// Ours: a properties file is malformed.
pub(crate) const PROPERTIES: &str = "HW0005";
/// Ours: variables of a configuration refer to each other too deeply, or in a circle.
pub(crate) const SUBSTITUTION: &str = "HW0006";
/// Ours: an evaluated action body is not what its schema asked for.
pub(crate) const ACTION_BODY: &str = "HW0007";
