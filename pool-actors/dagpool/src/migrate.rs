//! `dagpool migrate`: the database's schema, brought up to date or looked at.

use std::process::ExitCode;

use pool_actors::{
    api::rfc3339,
    app::database::{self, Schema},
    config,
};

use crate::{
    Outcome,
    args::{Migrate, MigrateAction},
};

/// Applies what is missing, or says what is.
pub(crate) async fn migrate(args: &Migrate) -> Outcome {
    let config = config::load(&args.file.config)?;
    let schema = database::schema(&config, args.action == MigrateAction::Up).await?;
    if args.json {
        println!("{:#}", as_json(&schema));
    } else {
        println!("database   {}", schema.database);
        for migration in &schema.migrations {
            let applied = migration
                .applied_at
                .map_or_else(|| "missing".to_owned(), |at| format!("applied {}", rfc3339(at)));
            println!("{:04}       {:<20} {applied}", migration.version, migration.name);
        }
    }
    Ok(if schema.pending() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(schema: &Schema) -> serde_json::Value {
    let migrations: Vec<_> = schema
        .migrations
        .iter()
        .map(|migration| {
            serde_json::json!({
                "version": migration.version, "name": migration.name,
                "applied_at": migration.applied_at.map(rfc3339),
            })
        })
        .collect();
    serde_json::json!({ "database": schema.database, "pending": schema.pending(), "migrations": migrations })
}
