//! The gateway's HTTP interface, as a script would use it.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A client with a bearer token.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Client {
    /// Speaks to the gateway at `address` as the bearer of `token`.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        let base = format!("http://{address}/api/v1");
        Self { agent: config.into(), base, token: token.trim().to_owned() }
    }

    /// Returns the JSON of `path`, such as `/alarms?state=open`.
    ///
    /// # Errors
    /// Where the answer is no success, with the problem that it names.
    pub fn get(&self, path: &str) -> Result<Value> {
        let bearer = format!("Bearer {}", self.token);
        let mut answer = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("Authorization", bearer)
            .call()
            .with_context(|| format!("GET {path}"))?;
        let status = answer.status();
        let body: Value = answer.body_mut().read_json().with_context(|| format!("GET {path}"))?;
        if !status.is_success() {
            bail!("GET {path}: {status}: {body}");
        }
        Ok(body)
    }

    /// Returns status and text of an address outside of the API, such as `/metrics`.
    pub fn text(&self, path: &str) -> Result<(u16, String)> {
        let root = self.base.trim_end_matches("/api/v1");
        let bearer = format!("Bearer {}", self.token);
        let request = self.agent.get(format!("{root}{path}")).header("Authorization", bearer);
        let mut answer = request.call().with_context(|| format!("GET {path}"))?;
        Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
    }

    /// Returns the status of a POST of JSON to `path`, and what it answers.
    pub fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let bearer = format!("Bearer {}", self.token);
        let mut answer = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("Authorization", bearer)
            .send_json(body)
            .with_context(|| format!("POST {path}"))?;
        let text = answer.body_mut().read_to_string()?;
        let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? };
        Ok((answer.status().as_u16(), value))
    }
}
