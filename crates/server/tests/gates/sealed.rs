//! One value in each table with sealed values beside credentials, written and read as the program does it.

use mainspring_model::id::{MessageId, NotificationRuleId, OrgId, Owner, VariableId};
use mainspring_model::store::{
    Channel, NewMessage, NotificationRuleRecord, SealedRow, SealedTable, SecondFactor, VariableRecord, VariableValue,
};
use mainspring_server::app::App;
use serde_json::Value;

fn text(table: SealedTable, owner: &Owner) -> String {
    format!("canary of {} for {}", table.name(), owner.user)
}

/// Writes a secret variable, a signing secret, a message that waits and a second factor.
pub async fn put(app: &App, owner: &Owner) -> Result<(), String> {
    for table in SealedTable::ALL.into_iter().filter(|table| table.field().is_some()) {
        put_one(app, owner, table).await.map_err(|error| format!("{table:?}: {error}"))?;
    }
    Ok(())
}

async fn put_one(app: &App, owner: &Owner, table: SealedTable) -> Result<(), Box<dyn std::error::Error>> {
    let (id, now) = (app.engine.new_id(), app.clock.now());
    let (org, user, id) = match table {
        SealedTable::SecondFactors => (OrgId::INSTALLATION, Some(owner.user), owner.user.0),
        // There is one rule of an organization, which is written again.
        SealedTable::NotificationRules => (owner.org, None, owner.user.0),
        _ => (owner.org, None, id),
    };
    let row = app.engine.credentials().seal_value(table, org, user, id, text(table, owner).as_bytes()).await?;
    let sealed = row.bytes();
    match table {
        SealedTable::Credentials => {}
        SealedTable::Variables => {
            let value = VariableValue::Secret(sealed);
            let (name, id) = ("SECRET".to_owned(), VariableId(id));
            app.store.put_variable(&VariableRecord { org, name, id, user: owner.user, value, created_at: 0, updated_at: 0 }).await?;
        }
        SealedTable::NotificationRules => {
            let (id, name, definition) = (NotificationRuleId(id), "rule".to_owned(), Value::Null);
            let rule =
                NotificationRuleRecord { id, owner: *owner, name, definition, secrets: Some(sealed), created_at: now, updated_at: now };
            app.store.put_notification_rule(&rule).await?;
        }
        SealedTable::Outbox => {
            let key = format!("message for {}", owner.user);
            app.store.put_message(&NewMessage { id: MessageId(id), org, channel: Channel::Mail, key, throttle: None, sealed }).await?;
        }
        SealedTable::SecondFactors => {
            let factor = SecondFactor { sealed, confirmed_at: None, last_step: None, created_at: now };
            app.store.put_second_factor(owner.user, &factor).await?;
        }
    }
    app.engine.credentials().written(&row).await?;
    Ok(())
}

/// Opens them.
pub async fn check(app: &App, owner: &Owner) -> Result<(), String> {
    for table in SealedTable::ALL.into_iter().filter(|table| table.field().is_some()) {
        let org = if table == SealedTable::SecondFactors { OrgId::INSTALLATION } else { owner.org };
        let rows = app.store.sealed_rows(table, org, None, 100).await.map_err(|error| format!("{table:?}: {error}"))?;
        let row = rows.into_iter().find(|row| row.user.is_none_or(|user| user == owner.user));
        let SealedRow { user, id, fields, .. } = row.ok_or_else(|| format!("{table:?}: it is gone"))?;
        let sealed = fields.into_values().next().unwrap_or_default();
        let opened = app.engine.credentials().open_value(table, org, user, id, &sealed).await;
        let opened = opened.map_err(|error| format!("{table:?} does not open: {error}"))?;
        if opened[..] != *text(table, owner).as_bytes() {
            return Err(format!("{table:?} holds something else"));
        }
    }
    Ok(())
}
