//! Failures: one type for every refused request, one mapping from every port's errors, two ways to show it.
//!
//! Oozie's clients read the headers `oozie-error-code` and `oozie-error-message` (census §5.1); the page below them is
//! for people. Our own API answers [`ErrorBody`].

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{AppDigest, Diagnostic};
use ports::api::{ApiError, ApiErrorKind};
use ports::files::FilesError;
use ports::store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::balance::{LOOKING_FOR_A_SCHEDULER, NO_SCHEDULER};

/// There is no such job.
const NO_JOB: &str = "E0604";
/// What to do then.
const LOOK_FOR_IT: &str = "look for it with `howdah jobs`";
/// Nothing is under this path.
pub(crate) const NO_SUCH_PATH: &str = "HW4001";
/// This path does not know the method.
pub(crate) const NO_SUCH_METHOD: &str = "HW4002";
/// The body is longer than allowed.
pub(crate) const BODY_TOO_LONG: &str = "HW4003";
/// The URL is longer than allowed.
pub(crate) const URL_TOO_LONG: &str = "HW4004";
/// Oozie has it, we do not yet.
pub(crate) const NOT_HERE: &str = "HW4005";
/// Too many streams are open.
pub(crate) const TOO_MANY_FOLLOWERS: &str = "HW4006";
/// The request took longer than allowed.
pub(crate) const TOO_SLOW: &str = "HW4007";
/// A handler panicked.
pub(crate) const PANICKED: &str = "HW4008";
/// The logs of an action cannot be read.
pub(crate) const LOGS_UNREADABLE: &str = "HW4009";
/// This server is no cluster.
pub(crate) const NO_CLUSTER: &str = "HW4011";
/// The JSON of a request is not what its path takes.
pub(crate) const BAD_JSON: &str = "HW4012";

/// Longest `oozie-error-message`: clients refuse headers of more than 8 KiB.
const HEADER_CHARS_MAX: usize = 4_000;
/// When to come back after a 503, in seconds: a failover takes less.
const RETRY_AFTER_SECONDS: &str = "1";

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The status for Oozie's clients.
    pub(crate) status: StatusCode,
    /// The status in our own API.
    pub(crate) own_status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The body of an error of `/api/v1`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// Oozie's `E####` where the situation is Oozie's, else `HW####`; each has a page in `docs/errors/`.
    #[schema(example = "E0604")]
    pub(crate) code: String,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) help: Option<String>,
    /// All findings, when a definition was refused.
    pub(crate) diagnostics: Vec<DiagnosticBody>,
}

/// One finding about a definition.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DiagnosticBody {
    /// Its code.
    pub(crate) code: String,
    /// `error` or `warning`.
    pub(crate) severity: String,
    /// Line, from 1; 0 when it is not known.
    pub(crate) line: u32,
    /// Column in characters, from 1; 0 when it is not known.
    pub(crate) column: u32,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) help: Option<String>,
}

impl Failure {
    /// With the same status everywhere.
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Failure {
        Failure {
            status,
            own_status: status,
            code: code.to_owned(),
            message: message.into(),
            help: None,
            diagnostics: Vec::new(),
        }
    }

    /// 400, as Oozie answers almost everything.
    pub(crate) fn bad(code: &str, message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400 from Oozie, 404 from us.
    pub(crate) fn missing(code: &str, message: impl Into<String>) -> Failure {
        Failure { own_status: StatusCode::NOT_FOUND, ..Failure::bad(code, message) }
    }

    /// `E0604`.
    pub(crate) fn no_job(id: &str) -> Failure {
        Failure::missing(NO_JOB, format!("Job does not exist [{id}]")).help(LOOK_FOR_IT)
    }

    /// `E0605`.
    pub(crate) fn no_action(id: &str) -> Failure {
        Failure::missing("E0605", format!("Action does not exist [{id}]"))
            .help("`howdah job -info <job>` lists the actions that were entered so far")
    }

    /// `HW4001`: a digest that no definition in the database has.
    pub(crate) fn no_definition(digest: &AppDigest) -> Failure {
        let message = format!("there is no definition with the digest {digest}");
        Failure::missing(NO_SUCH_PATH, message).help(
            "`app_digest` of /api/v1/jobs/<job> is the digest of the definition that the job runs",
        )
    }

    /// `E0303`.
    pub(crate) fn bad_value(parameter: &str, value: &str) -> Failure {
        Failure::bad("E0303", format!("Invalid parameter value, [{parameter}] = [{value}]"))
    }

    /// Oozie has it, we do not yet.
    pub(crate) fn not_here(what: &str) -> Failure {
        Failure::new(
            StatusCode::NOT_IMPLEMENTED,
            NOT_HERE,
            format!("{what}: not yet available here"),
        )
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }

    /// One line: the code, the message and the findings that the message does not already hold.
    fn line(&self) -> String {
        let mut line = format!("{}: {}", self.code, self.message);
        for finding in
            self.diagnostics.iter().filter(|finding| !self.message.contains(&finding.message))
        {
            line.push_str(" | ");
            line.push_str(&finding.to_string());
        }
        if let (Some(help), true) = (&self.help, self.diagnostics.is_empty()) {
            line.push_str("; ");
            line.push_str(help);
        }
        line
    }

    /// As Oozie shows it: headers, and a page for people.
    pub(crate) fn as_page(&self) -> Response {
        let line = self.line();
        let page = format!(
            "<html><head><title>Error {status}</title></head><body><h2>HTTP ERROR {status}</h2><p>{text}</p></body></html>\n",
            status = self.status.as_u16(),
            text = escaped(&line),
        );
        let mut response = (self.status, page).into_response();
        let headers = response.headers_mut();
        headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=\"UTF-8\""));
        headers.insert(HeaderName::from_static("oozie-error-code"), header_value(&self.code));
        headers.insert(HeaderName::from_static("oozie-error-message"), header_value(&line));
        self.with_retry_after(response)
    }

    /// As our own API shows it.
    pub(crate) fn as_json(&self) -> Response {
        let mut response = (self.own_status, axum::Json(self.body())).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.with_retry_after(response)
    }

    /// The body of our own API.
    pub(crate) fn body(&self) -> ErrorBody {
        let first_help = || self.diagnostics.iter().find_map(|finding| finding.help.clone());
        ErrorBody {
            code: self.code.clone(),
            message: self.message.clone(),
            help: self.help.clone().or_else(first_help),
            diagnostics: self.diagnostics.iter().map(DiagnosticBody::from).collect(),
        }
    }

    fn with_retry_after(&self, mut response: Response) -> Response {
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}

impl From<&Diagnostic> for DiagnosticBody {
    fn from(finding: &Diagnostic) -> DiagnosticBody {
        let severity = match finding.severity {
            model::Severity::Error => "error",
            model::Severity::Warning => "warning",
        };
        DiagnosticBody {
            code: finding.code.clone(),
            severity: severity.to_owned(),
            line: finding.at.line,
            column: finding.at.column,
            message: finding.message.clone(),
            help: finding.help.clone(),
        }
    }
}

/// The failure travels inside of the response; `guard` shows it.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Failure {
        let (status, own_status) = statuses(error.kind);
        let ApiError { kind: _, code, message, diagnostics } = error;
        let help = (code == NO_JOB).then(|| LOOK_FOR_IT.to_owned());
        Failure { status, own_status, code, message, help, diagnostics }
    }
}

fn statuses(kind: ApiErrorKind) -> (StatusCode, StatusCode) {
    match kind {
        ApiErrorKind::BadRequest => (StatusCode::BAD_REQUEST, StatusCode::BAD_REQUEST),
        ApiErrorKind::NotFound => (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND),
        ApiErrorKind::Unauthorized => (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED),
        ApiErrorKind::Unavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE)
        }
        ApiErrorKind::Internal => {
            (StatusCode::INTERNAL_SERVER_ERROR, StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let (status, code) = match error {
            StoreError::Unavailable { what: LOOKING_FOR_A_SCHEDULER, .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, NO_SCHEDULER)
            }
            StoreError::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "E0600"),
            StoreError::Refused { .. } => (StatusCode::SERVICE_UNAVAILABLE, "E0608"),
            StoreError::Corrupt { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "E0607"),
        };
        let words = match &error {
            StoreError::Unavailable { what: LOOKING_FOR_A_SCHEDULER, source_message } => {
                format!("no scheduler could be asked: {source_message}")
            }
            other => other.to_string(),
        };
        Failure::new(status, code, words)
    }
}

/// The logs of an action could not be read.
pub(crate) fn logs_failure(error: &FilesError) -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        LOGS_UNREADABLE,
        format!("cannot read the log: {error}"),
    )
    .help("try again; if it stays, look at the server's log directory")
}

/// A header holds one line of Latin-1: line breaks become blanks, what Latin-1 lacks becomes `?`.
fn header_value(text: &str) -> HeaderValue {
    let byte = |c: char| match u8::try_from(u32::from(c)) {
        Ok(b'\n' | b'\r' | b'\t') => b' ',
        Ok(byte) if byte >= 0xa0 || (0x20..0x7f).contains(&byte) => byte,
        Ok(_) | Err(_) => b'?',
    };
    let bytes: Vec<u8> = text.chars().take(HEADER_CHARS_MAX).map(byte).collect();
    HeaderValue::from_bytes(&bytes).expect("only printable Latin-1 is left")
}

/// Text for inside of HTML.
fn escaped(text: &str) -> String {
    let mut page = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '&' => page.push_str("&amp;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            other => page.push(other),
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_hold_one_printable_line() {
        assert_eq!(header_value("a\r\nb\u{7}ü→").as_bytes(), b"a  b?\xfc?");
        assert_eq!(header_value(&"x".repeat(10_000)).len(), HEADER_CHARS_MAX);
    }

    #[test]
    fn findings_follow_the_message_unless_it_holds_them() {
        let finding = |message: &str| Diagnostic {
            code: "E0701".into(),
            severity: model::Severity::Error,
            at: model::Location { line: 2, column: 3 },
            span: 0..1,
            message: message.into(),
            help: None,
        };
        let failure = Failure {
            diagnostics: vec![finding("one"), finding("two")],
            ..Failure::bad("E0701", "bad: one")
        };
        assert_eq!(failure.line(), "E0701: bad: one | E0701: two (line 2, column 3)");
    }
}
