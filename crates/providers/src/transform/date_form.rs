//! The forms of dates: those of the expression function `formatDate` (`yyyy-MM-dd`), or of strftime (`%Y-%m-%d`).

use std::borrow::Cow;

use mainspring_model::date_form;

/// The form in the letters of strftime. A form with a `%` has them already. Errors: what is wrong with the form.
pub(super) fn form(text: &str) -> Result<Cow<'_, str>, String> {
    if text.contains('%') { Ok(Cow::Borrowed(text)) } else { date_form::letters(text).map(Cow::Owned) }
}
