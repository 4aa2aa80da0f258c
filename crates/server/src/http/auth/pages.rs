//! The pages that links lead to: for the first owner, for a new password, and for an invitation. The token stands behind `#`, so that it is in
//! no log and in no `Referer`; the page sends it with the form.

use axum::response::{Html, IntoResponse, Response};
use http::header;

const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const FRAME: &str = r#"<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Mainspring</title><style>body{font:1rem system-ui;margin:10vh auto;max-width:24rem;padding:0 1rem}input,button{font:inherit;
display:block;width:100%;box-sizing:border-box;margin:.3rem 0 1rem;padding:.5rem}</style><h1>{title}</h1>
<form id="form">{fields}<button>Go</button></form><p id="said" role="status"></p><script>
const form = document.getElementById("form"), said = document.getElementById("said");
const token = new URLSearchParams(location.hash.slice(1)).get("token") || location.hash.slice(1);
history.replaceState(null, "", location.pathname);
const send = (target, body, access) => fetch(target, { method: "POST", body: JSON.stringify(body),
  headers: Object.assign({ "Content-Type": "application/json" }, access && { Authorization: "Bearer " + access }) });
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const typed = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
  {script}
  if (answer.ok) { form.remove(); said.textContent = "{done}"; }
  else { said.textContent = (await answer.json()).detail; }
});
</script>"#;

/// A form whose token and fields go to one address.
fn page(title: &str, fields: &str, target: &str, done: &str) -> Response {
    scripted(title, fields, &format!(r#"const answer = await send("{target}", Object.assign({{ token }}, typed));"#), done)
}

fn scripted(title: &str, fields: &str, script: &str, done: &str) -> Response {
    let text = FRAME.replace("{title}", title).replace("{fields}", fields).replace("{script}", script).replace("{done}", done);
    ([(header::CONTENT_SECURITY_POLICY, POLICY), (header::REFERRER_POLICY, "no-referrer")], Html(text)).into_response()
}

/// The page on which the first owner is made
#[utoipa::path(get, path = "/first-owner", tag = "accounts", security(()), responses((status = 200, content_type = "text/html", body = String)))]
pub async fn get_first_owner_page() -> Response {
    let fields = r#"<label>E-mail<input name="email" type="email" required autocomplete="username"></label><label>Name<input name="name" autocomplete="name"></label>
<label>Password, at least 10 characters<input name="password" type="password" required minlength="10" autocomplete="new-password"></label>"#;
    page("The first owner of this installation", fields, "/api/auth/first-owner", "Done. Log in with this address and password.")
}

/// The page on which a new password is set
#[utoipa::path(get, path = "/reset-password", tag = "accounts", security(()), responses((status = 200, content_type = "text/html", body = String)))]
pub async fn get_reset_page() -> Response {
    let fields = r#"<label>New password, at least 10 characters<input name="new_password" type="password" required minlength="10" autocomplete="new-password"></label>"#;
    page("A new password", fields, "/api/auth/reset-password", "Done. Log in with the new password.")
}

/// The page on which an invitation is accepted
#[utoipa::path(get, path = "/invitations", tag = "accounts", security(()), responses((status = 200, content_type = "text/html", body = String)))]
pub async fn get_invitation_page() -> Response {
    let fields = r#"<p>Log in with your account here to accept. Without one, choose a password of at least 10 characters.</p>
<label><input name="new" type="checkbox" style="display:inline;width:auto"> I have no account here yet</label><label>E-mail<input name="email" type="email" required autocomplete="username"></label>
<label>Password<input name="password" type="password" required autocomplete="current-password"></label>
<label>Code, with a second factor<input name="totp_code" inputmode="numeric" autocomplete="one-time-code"></label>"#;
    let script = r#"const isNew = typed.new; delete typed.new;
  if (isNew) {
    const made = await send("/api/auth/register", { email: typed.email, password: typed.password, invitation: token });
    if (!made.ok) { said.textContent = (await made.json()).detail; return; }
    form.elements.new.checked = false;
  }
  let answer = await send("/api/auth/login", typed);
  if (answer.ok) {
    const session = await answer.json();
    if (!session.access_token) { said.textContent = "This account asks for a code of its second factor."; return; }
    answer = await send("/api/invitations/accept", { token }, session.access_token);
  }"#;
    scripted("An invitation", fields, script, "Done. You are a member now.")
}
