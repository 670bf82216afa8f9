//! The text of a document as HTML: the few forms that the templates use, everything else as it is.

use crate::report::paper::Paper;

/// Text that means nothing in HTML but itself, in an element or in an attribute.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// What is open at a line of the text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Paragraph,
    List,
    Numbers,
}

impl Open {
    fn end(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Paragraph => "</p>\n",
            Self::List => "</ul>\n",
            Self::Numbers => "</ol>\n",
        }
    }

    fn begin(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Paragraph => "<p>",
            Self::List => "<ul>\n",
            Self::Numbers => "<ol>\n",
        }
    }
}

/// The body of a document.
pub(super) fn prose(paper: &Paper) -> String {
    let inline = |text: &str| if paper.markdown { inline(text) } else { escape(text) };
    let mut html = String::new();
    let mut open = Open::Nothing;
    for line in paper.body.lines() {
        let heading = line.strip_prefix("## ").filter(|_| paper.markdown);
        let task = line.strip_prefix("- [ ] ").filter(|_| paper.markdown);
        let (wants, text) = if line.trim().is_empty() {
            (Open::Nothing, String::new())
        } else if let Some(heading) = heading {
            (Open::Nothing, format!("<h2>{}</h2>\n", inline(heading)))
        } else if let Some(task) = task {
            (Open::List, format!("<li class=\"task\">{}</li>\n", inline(task)))
        } else if let Some(item) = line.strip_prefix("- ") {
            (Open::List, format!("<li>{}</li>\n", inline(item)))
        } else if let Some(item) = numbered(line) {
            (Open::Numbers, format!("<li>{}</li>\n", inline(item)))
        } else {
            let after = if open == Open::Paragraph { "<br>\n" } else { "" };
            (Open::Paragraph, format!("{after}{}", inline(line)))
        };
        if wants != open {
            html.push_str(open.end());
            html.push_str(wants.begin());
            open = wants;
        }
        html.push_str(&text);
    }
    html.push_str(open.end());
    html
}

/// `1. Timeline review` without its number.
fn numbered(line: &str) -> Option<&str> {
    let (number, rest) = line.split_once(". ")?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(rest)
}

/// Strong words, and the brackets that nobody filled in, so that they are seen.
fn inline(text: &str) -> String {
    let mut html = String::with_capacity(text.len() * 2);
    let mut chars = text.chars().peekable();
    let (mut strong, mut bracket) = (false, false);
    while let Some(c) = chars.next() {
        match c {
            '\\' => html.push_str(&escape(&chars.next().map(String::from).unwrap_or_default())),
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                html.push_str(if strong { "</strong>" } else { "<strong>" });
                strong = !strong;
            }
            '[' if !bracket => {
                bracket = true;
                html.push_str("<span class=\"open\">[");
            }
            ']' if bracket => {
                bracket = false;
                html.push_str("]</span>");
            }
            c => html.push_str(&escape(&c.to_string())),
        }
    }
    html.push_str(if bracket { "</span>" } else { "" });
    html.push_str(if strong { "</strong>" } else { "" });
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fill::markdown;

    fn paper(body: &str, markdown: bool) -> Paper {
        Paper {
            title: String::new(),
            heading: String::new(),
            labels: Vec::new(),
            body: body.to_owned(),
            markdown,
        }
    }

    #[test]
    fn foreign_text_can_be_no_tag_and_no_emphasis() {
        let evil = "<script>alert('1')</script> **loud** [x](javascript:1) \"&";
        let html = prose(&paper(&markdown(evil), true));
        assert_eq!(
            html,
            "<p>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; **loud** [x](javascript:1) \
             &quot;&amp;</p>\n"
        );
        assert!(!prose(&paper(evil, false)).contains("<script"));
    }

    #[test]
    fn the_forms_of_the_templates_are_read() {
        let html =
            prose(&paper("**Date:** x\n**Level:** [1/2/3]\n\n## To do\n- [ ] a\n- b\n", true));
        assert_eq!(
            html,
            "<p><strong>Date:</strong> x<br>\n<strong>Level:</strong> \
             <span class=\"open\">[1/2/3]</span></p>\n<h2>To do</h2>\n<ul>\n\
             <li class=\"task\">a</li>\n<li>b</li>\n</ul>\n"
        );
        let html = prose(&paper("Agenda:\n1. One\n2. Two\n", false));
        assert_eq!(html, "<p>Agenda:</p>\n<ol>\n<li>One</li>\n<li>Two</li>\n</ol>\n");
    }
}
