//! `email`: one message by SMTP, with Oozie's codes EM001 to EM008.
//!
//! It is sent by the server of the worker's settings and from its address, whoever submitted the job; attachments are
//! read as the job's user.

use std::io;
use std::time::Duration;

use lettre::address::AddressError;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Body, Mailbox, MessageBuilder, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport};
use model::action_spec::Email;
use model::{AttemptResult, ErrorClass, Phase, Success};
use ports::files::Files;

use crate::builtin::{Order, say};
use crate::config::{MailConfig, MailSecurity};
use crate::failure::{self, Refusal, with_causes};
use crate::localise::app_dir;

/// All attachments together: mail servers take less.
const ATTACHMENT_BYTES_MAX: u64 = 32 << 20;
/// A list longer than this is a mistake, or a case for a mailing list.
const RECIPIENTS_MAX: usize = 1_000;

const ATTACHMENTS_MISSING: &str = "\nNote: the attachments of this mail are missing, because sending attachments is switched \
                                   off on this worker.";

/// Sends the message.
pub(crate) async fn perform(files: &dyn Files, order: &Order, spec: &Email) -> AttemptResult {
    match send(files, order, spec).await {
        Ok(()) => AttemptResult::Succeeded(Success {
            external_id: Some("-".to_owned()),
            external_status: Some("OK".to_owned()),
            ..Success::default()
        }),
        Err(failure) => AttemptResult::Failed(*failure),
    }
}

async fn send(files: &dyn Files, order: &Order, spec: &Email) -> Result<(), Refusal> {
    let mail = &order.mail;
    let envelope = envelope(mail, spec)?;
    let attachments =
        if mail.attachments_enabled { attachments(files, order, spec).await? } else { Vec::new() };
    let message = message(mail, spec, envelope, attachments)?;
    let sent = transport(mail)?.send(&message);
    sent.map_err(|e| {
        error("EM007", format!("cannot send by {}:{}: {}", mail.host, mail.port, with_causes(&e)))
    })?;
    say(&mut io::stdout(), &format!("sent to {}", spec.to));
    Ok(())
}

fn envelope(mail: &MailConfig, spec: &Email) -> Result<MessageBuilder, Refusal> {
    let from: Mailbox = mail.from.parse().map_err(|e: AddressError| {
        error("EM002", format!("bad from address [{}] in the worker's settings: {e}", mail.from))
    })?;
    let to = addresses(&spec.to)?;
    if to.is_empty() {
        return Err(error(
            "EM001",
            "no recipients were specified in the to-address field".to_owned(),
        ));
    }
    let (cc, bcc) = (
        addresses(spec.cc.as_deref().unwrap_or_default())?,
        addresses(spec.bcc.as_deref().unwrap_or_default())?,
    );
    if to.len() + cc.len() + bcc.len() > RECIPIENTS_MAX {
        return Err(error("EM005", format!("more than {RECIPIENTS_MAX} recipients")));
    }
    let builder = to.into_iter().fold(Message::builder().from(from), MessageBuilder::to);
    let builder = cc.into_iter().fold(builder, MessageBuilder::cc);
    Ok(bcc.into_iter().fold(builder, MessageBuilder::bcc).subject(spec.subject.clone()))
}

fn addresses(list: &str) -> Result<Vec<Mailbox>, Refusal> {
    let bad = |address: &str, e: AddressError| {
        error("EM004", format!("bad address [{address}] in <to>, <cc> or <bcc>: {e}"))
    };
    let named = list.split(',').map(str::trim).filter(|address| !address.is_empty());
    named.map(|address| address.parse().map_err(|e| bad(address, e))).collect()
}

async fn attachments(
    files: &dyn Files,
    order: &Order,
    spec: &Email,
) -> Result<Vec<SinglePart>, Refusal> {
    let listed = spec.attachment.as_deref().unwrap_or_default();
    let listed: Vec<&str> =
        listed.split(',').map(str::trim).filter(|path| !path.is_empty()).collect();
    let (mut parts, mut left) = (Vec::new(), ATTACHMENT_BYTES_MAX);
    if listed.is_empty() {
        return Ok(parts);
    }
    let app = app_dir(files, &order.grant).await?;
    for path in listed {
        let bytes = files.read(&order.grant.user, &app.resolve(path, None), left).await;
        let bytes = bytes.map_err(|e| error("EM008", format!("cannot attach [{path}]: {e}")))?;
        left = left.saturating_sub(bytes.len() as u64);
        parts.push(attachment(path, bytes));
    }
    Ok(parts)
}

fn attachment(path: &str, bytes: Vec<u8>) -> SinglePart {
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    let content_type = ContentType::parse("application/octet-stream").expect("it is one");
    Attachment::new(name).body(Body::new(bytes), content_type)
}

fn message(
    mail: &MailConfig,
    spec: &Email,
    envelope: MessageBuilder,
    attachments: Vec<SinglePart>,
) -> Result<Message, Refusal> {
    let missing = !mail.attachments_enabled && spec.attachment.is_some();
    let text =
        if missing { format!("{}{ATTACHMENTS_MISSING}", spec.body) } else { spec.body.clone() };
    let body = SinglePart::builder().header(content_type(spec)?).body(text);
    let message = if attachments.is_empty() {
        envelope.singlepart(body)
    } else {
        envelope.multipart(
            attachments
                .into_iter()
                .fold(MultiPart::mixed().singlepart(body), MultiPart::singlepart),
        )
    };
    message.map_err(|e| error("EM005", format!("cannot make the message: {}", with_causes(&e))))
}

/// Texts are sent as UTF-8 unless the definition says otherwise.
fn content_type(spec: &Email) -> Result<ContentType, Refusal> {
    let given = spec
        .content_type
        .as_deref()
        .map(str::trim)
        .filter(|given| !given.is_empty())
        .unwrap_or("text/plain");
    let bare_text = given.starts_with("text/") && !given.contains(';');
    let full = if bare_text { format!("{given}; charset=utf-8") } else { given.to_owned() };
    ContentType::parse(&full)
        .map_err(|e| error("EM005", format!("bad content type [{given}]: {e}")))
}

fn transport(mail: &MailConfig) -> Result<SmtpTransport, Refusal> {
    let parameters = || {
        let made = TlsParameters::new(mail.host.clone());
        made.map_err(|e| {
            error("EM006", format!("cannot prepare the encryption: {}", with_causes(&e)))
        })
    };
    let tls = match mail.security {
        MailSecurity::Plain => Tls::None,
        MailSecurity::StartTls => Tls::Required(parameters()?),
        MailSecurity::Tls => Tls::Wrapper(parameters()?),
    };
    let builder = SmtpTransport::builder_dangerous(&mail.host)
        .port(mail.port)
        .timeout(Some(Duration::from_millis(mail.timeout_ms)))
        .tls(tls);
    Ok(match &mail.login {
        Some((user, password)) => builder
            .credentials(Credentials::new(user.clone(), password.expose().to_owned()))
            .build(),
        None => builder.build(),
    })
}

fn error(code: &str, message: String) -> Refusal {
    failure::failure(ErrorClass::Error, Phase::Start, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: Email, expected: Result<&str, &str>) {
        let mail = MailConfig::default();
        let made =
            envelope(&mail, &spec).and_then(|envelope| message(&mail, &spec, envelope, Vec::new()));
        let made = made
            .map(|message| String::from_utf8_lossy(&message.formatted()).into_owned())
            .map_err(|f| f.code);
        match (made, expected) {
            (Ok(text), Ok(part)) => assert!(text.contains(part), "{text}"),
            (made, expected) => assert_eq!(made.as_deref().map_err(String::as_str), expected),
        }
    }

    fn email(to: &str) -> Email {
        Email {
            to: to.to_owned(),
            subject: "Grüße".to_owned(),
            body: "hällo".to_owned(),
            ..Email::default()
        }
    }

    #[test]
    fn messages_say_what_the_definition_says() {
        check(
            email("a@example.org, B <b@example.org>,"),
            Ok("To: a@example.org, B <b@example.org>\r\n"),
        );
        check(email("a@example.org"), Ok("Content-Type: text/plain; charset=utf-8\r\n"));
        check(
            Email { content_type: Some("text/html".to_owned()), ..email("a@example.org") },
            Ok("text/html; charset=utf-8"),
        );
        check(
            Email { cc: Some("c@example.org".to_owned()), ..email("a@example.org") },
            Ok("Cc: c@example.org"),
        );
    }

    #[test]
    fn mistakes_have_oozie_s_codes() {
        check(email(" , "), Err("EM001"));
        check(email("no address"), Err("EM004"));
        check(Email { bcc: Some("@".to_owned()), ..email("a@example.org") }, Err("EM004"));
        check(
            Email { content_type: Some("???".to_owned()), ..email("a@example.org") },
            Err("EM005"),
        );
    }
}
