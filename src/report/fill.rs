//! Fills the brackets of a template. What is not known stays as the template has it, and what is
//! filled in is never read as a template again.

/// One bracket of a template, with the words around it that tell it from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The exact text of the template that is replaced.
    pub place: &'static str,
    /// What stands there instead; nothing leaves the template as it is.
    pub value: Option<String>,
}

/// A field.
pub fn field(place: &'static str, value: Option<String>) -> Field {
    Field { place, value }
}

/// The template with its fields filled in, which are given in the order in which they occur. A
/// place that does not occur is left out.
pub fn fill(template: &str, fields: &[Field]) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    let mut rest = template;
    for field in fields {
        let Some((before, after)) = rest.split_once(field.place) else { continue };
        text.push_str(before);
        text.push_str(field.value.as_deref().unwrap_or(field.place));
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The places that do not occur in the template in this order: none, or code and template differ.
pub fn missing<'a>(template: &str, fields: &'a [Field]) -> Vec<&'a str> {
    let mut rest = template;
    let mut missing = Vec::new();
    for field in fields {
        match rest.split_once(field.place) {
            Some((_, after)) => rest = after,
            None => missing.push(field.place),
        }
    }
    missing
}

/// Text that means nothing in Markdown but itself: no emphasis, link, picture or tag. A bracket
/// that is left is therefore one of the template's.
pub fn markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut before: Option<char> = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let within = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let means = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' => true,
            // Inside a word it emphasises nothing.
            '_' => !(within(before) && within(rest.peek().copied())),
            '#' | '+' | '-' => before.is_none(),
            _ => false,
        };
        if means {
            safe.push('\\');
        }
        safe.push(c);
        before = Some(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_stays_in_brackets_and_what_is_filled_in_is_no_template() {
        let fields = [
            field("[Time]:** a", Some("[Time]:** b of [X]".to_owned())),
            field("[Time]:** b", None),
            field("[X]", Some("3".to_owned())),
        ];
        let template = "- **[Time]:** a\n- **[Time]:** b\n[X] minutes\n";
        let filled = fill(template, &fields);
        assert_eq!(filled, "- **[Time]:** b of [X]\n- **[Time]:** b\n3 minutes\n");
        assert_eq!(missing(template, &fields), Vec::<&str>::new());
        assert_eq!(missing("nothing", &fields).len(), 3);
    }

    #[test]
    fn foreign_text_means_nothing_in_markdown() {
        assert_eq!(markdown("db_primary _x_ <b>*1*</b>"), r"db_primary \_x\_ \<b\>\*1\*\</b\>");
        assert_eq!(markdown("# no [link](x)"), r"\# no \[link\](x)");
        assert_eq!(markdown("v2.5.0 -> v2.4.9"), r"v2.5.0 -\> v2.4.9");
    }
}
