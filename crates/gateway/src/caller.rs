//! Who asks: pseudo authentication by `user.name`, as Oozie's `simple` (census §5.1).

use std::collections::BTreeSet;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use model::Configuration;

use crate::config::App;
use crate::error::Failure;
use crate::params::Params;

/// The property that names the user of a job.
pub(crate) const USER_NAME: &str = "user.name";
/// Oozie's word for nobody.
const NOBODY: &str = "?";

/// The user of a request; nobody when it is anonymous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller(Option<String>);

impl Caller {
    fn of(params: &Params, proxy_users: &BTreeSet<String>) -> Result<Caller, Failure> {
        let given = |name| params.get(name).map(str::trim).filter(|text| !text.is_empty());
        let user = given("user.name");
        match given("doAs") {
            Some(other) if Some(other) != user => {
                may_act_for_others(user, proxy_users)?;
                Ok(Caller(Some(other.to_owned())))
            }
            Some(_) | None => Ok(Caller(user.map(str::to_owned))),
        }
    }

    /// For commands: the user, or Oozie's word for nobody.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or(NOBODY)
    }

    /// For reruns: the user, if there is one, overrides the configuration's.
    pub(crate) fn own(&self, conf: &mut Configuration) {
        if let Some(user) = &self.0 {
            conf.set(USER_NAME, user.clone());
        }
    }

    /// For submits: the user overrides the configuration's; an anonymous request takes it from there (`E0401`).
    pub(crate) fn settle(&self, conf: &mut Configuration) -> Result<String, Failure> {
        self.own(conf);
        let user = conf.get(USER_NAME).filter(|user| !user.is_empty()).map(str::to_owned);
        user.ok_or_else(|| {
            Failure::bad("E0401", format!("Missing configuration property [{USER_NAME}]"))
                .help("set it in the configuration, or ask with ?user.name=<you>")
        })
    }
}

fn may_act_for_others(user: Option<&str>, proxy_users: &BTreeSet<String>) -> Result<(), Failure> {
    match user {
        Some(user) if proxy_users.contains(user) || proxy_users.contains("*") => Ok(()),
        Some(_) | None => {
            let who = user.unwrap_or("an anonymous user");
            let message = format!("doAs (proxyuser) failure: {who} may not act for others");
            Err(Failure::new(StatusCode::UNAUTHORIZED, "E1400", message)
                .help("name the user in the server's proxy users"))
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, Failure> {
        let params = Params::from_request_parts(parts, app).await?;
        Caller::of(&params, &app.config.proxy_users)
    }
}
