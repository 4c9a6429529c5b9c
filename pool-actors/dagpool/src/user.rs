//! `dagpool user`: who may sign in, for whoever has the configuration (and so the database).

use std::process::ExitCode;

use clap::{Args, Subcommand};
use pool_actors::{
    api::rfc3339,
    app::auth::Users,
    auth::Auth,
    config::{self, Secret},
    error::{Code, Failure},
    ports::users::{Role, UserChange},
};
use serde_json::json;

use crate::{Outcome, args::ConfigFile};

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add somebody; a random password is made and printed once.
    #[command(after_help = "Example: dagpool user add alice --role admin --config pool.toml")]
    Add(Add),
    /// Everybody who may sign in, or might.
    #[command(after_help = "Example: dagpool user list --config pool.toml --json")]
    List(List),
    /// Give another role: admin, operator, viewer or miner.
    #[command(after_help = "Example: dagpool user role alice viewer --config pool.toml")]
    Role(SetRole),
    /// Give a new password; a random one is made and printed once.
    #[command(after_help = "Example: dagpool user password alice --config pool.toml")]
    Password(Password),
    /// Take the second factor away, when phone and backup codes are lost.
    #[command(after_help = "Example: dagpool user reset-mfa alice --config pool.toml")]
    ResetMfa(Named),
    /// Keep somebody out. A session that is open ends within 15 minutes; at once when the dashboard does it.
    #[command(after_help = "Example: dagpool user disable alice --config pool.toml")]
    Disable(Named),
    /// Let somebody in again.
    #[command(after_help = "Example: dagpool user enable alice --config pool.toml")]
    Enable(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The user's name.
    name: String,
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    named: Named,
    /// admin, operator, viewer or miner.
    #[arg(long, default_value = "miner")]
    role: Role,
    #[command(flatten)]
    password: Given,
}

#[derive(Debug, Args)]
pub(crate) struct SetRole {
    /// The user's name.
    name: String,
    /// admin, operator, viewer or miner.
    role: Role,
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Debug, Args)]
pub(crate) struct Password {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    password: Given,
}

#[derive(Debug, Args)]
pub(crate) struct Given {
    /// The password as file:/path or env:NAME, in place of a random one. Not the text: other users of the machine could see it.
    #[arg(long)]
    password: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Given {
    fn reveal(&self) -> Result<Option<String>, Failure> {
        let Some(text) = &self.password else { return Ok(None) };
        if !text.starts_with("file:") && !text.starts_with("env:") {
            let what = "--password takes file:/path or env:NAME";
            return Err(Failure::new(
                Code::BadRequest,
                what,
                "put the password into a file that only you can read",
            ));
        }
        Secret::new(text).reveal().map(Some)
    }
}

/// Does what the command says.
pub(crate) async fn user(command: User) -> Outcome {
    match command {
        User::Add(Add { named, role, password }) => {
            let config = config::load(&named.file.config)?;
            let given = password.reveal()?;
            let random = given.is_none();
            let password = Users::open(&config)?.add(&named.name, role, given).await?;
            println!("user       {} ({role})", named.name);
            if random {
                println!("password   {password}  (printed once)");
            }
        }
        User::List(List { file, json }) => {
            let users = Users::open(&config::load(&file.config)?)?.all().await?;
            if json {
                let view = users.iter().map(|user| {
                    json!({
                        "username": user.username, "role": user.role, "email": user.email, "mfa": user.mfa_enabled,
                        "disabled_at": user.disabled_at.map(rfc3339), "created_at": rfc3339(user.created_at),
                    })
                });
                println!("{:#}", json!({ "items": view.collect::<Vec<_>>() }));
            } else {
                for user in users {
                    let mfa = if user.mfa_enabled { "second factor" } else { "password alone" };
                    let out =
                        user.disabled_at.map(|at| format!("  disabled {}", rfc3339(at))).unwrap_or_default();
                    println!("{:<24} {:<9} {mfa}{out}", user.username, user.role.as_str());
                }
            }
        }
        User::Role(SetRole { name, role, file }) => {
            change(&name, &file, "role", UserChange::Role(role)).await?;
        }
        User::Password(Password { named, password }) => {
            let config = config::load(&named.file.config)?;
            let given = password.reveal()?;
            let random = given.is_none();
            let password = given.unwrap_or_else(Auth::random_password);
            Auth::fit(&named.name, &password, config.auth.password_chars_min).map_err(|refused| {
                Failure::new(Code::BadRequest, refused.to_string(), "choose another one")
            })?;
            let hash = UserChange::Password(Auth::hash(&password));
            Users::open(&config)?.change(&named.name, "password", hash).await?;
            if random {
                println!("password   {password}  (printed once)");
            }
        }
        User::ResetMfa(named) => change(&named.name, &named.file, "reset_mfa", UserChange::MfaOff).await?,
        User::Disable(named) => {
            change(&named.name, &named.file, "disable", UserChange::Disabled(true)).await?;
        }
        User::Enable(named) => {
            change(&named.name, &named.file, "enable", UserChange::Disabled(false)).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn change(name: &str, file: &ConfigFile, what: &str, change: UserChange) -> Result<(), Failure> {
    Users::open(&config::load(&file.config)?)?.change(name, what, change).await
}
