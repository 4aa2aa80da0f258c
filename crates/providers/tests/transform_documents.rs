//! Provider `transform`: XML, HTML, Markdown and templates, also those that were written to do harm.

use serde_json::{Value, json};

use crate::logic_fake::*;

fn xml(text: &str) -> Value {
    value("transform.xml_parse", json!({"text": text}))
}

#[test]
fn xml_is_read_as_objects() {
    for (text, read) in [
        ("<a/>", json!({"a": null})),
        ("<?xml version='1.0'?>\n<!-- c --><a> x </a>\n", json!({"a": "x"})),
        ("<a><b>1</b><b/><c>t<!-- c -->u</c></a>", json!({"a": {"b": ["1", null], "c": "tu"}})),
        ("<a x='1' y=\"&lt;&#252;\">t<b/>u</a>", json!({"a": {"@x": "1", "@y": "<ü", "b": null, "#text": "tu"}})),
        ("<a><![CDATA[<b>&amp;]]></a>", json!({"a": "<b>&amp;"})),
        ("<a>&amp;&lt;&gt;&quot;&apos;&#x1F319;</a>", json!({"a": "&<>\"'🌙"})),
        ("<!DOCTYPE note SYSTEM \"note.dtd\"><note/>", json!({"note": null})),
        ("<s:E xmlns:s=\"u\"><s:B/></s:E>", json!({"s:E": {"@xmlns:s": "u", "s:B": null}})),
    ] {
        assert_eq!(xml(text), read, "{text}");
    }
    let soap = json!({"text": "<s:E xmlns:s=\"u\"><s:B i:k=\"1\"/></s:E>", "drop_prefixes": true, "lists": ["B"]});
    assert_eq!(value("transform.xml_parse", soap), json!({"E": {"B": [{"@k": "1"}]}}));
}

#[test]
fn xml_that_is_wrong_or_does_harm_is_refused() {
    let bomb = "<!DOCTYPE z [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>\n<z>&b;</z>";
    let leak = "<!DOCTYPE z [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><z>&x;</z>";
    for (text, message) in [
        (bomb, "INVALID_INPUT: line 1: a document type with declarations of its own is not read"),
        (leak, "INVALID_INPUT: line 1: a document type with declarations of its own is not read"),
        ("<a>\n&x;</a>", "INVALID_INPUT: line 2: &x;: entities are not resolved"),
        ("<a>&#0;</a>", "INVALID_INPUT: line 1: &#0;: entities are not resolved"),
        ("", "INVALID_INPUT: the text has not one root element"),
        ("text", "INVALID_INPUT: there is text outside of the root element"),
        ("<a/><b/>", "INVALID_INPUT: the text has not one root element"),
        ("<a/><a/>", "INVALID_INPUT: the text has not one root element"),
        ("<a>\n<b>", "INVALID_INPUT: the text ends inside of <b>"),
    ] {
        assert_eq!(error("transform.xml_parse", json!({"text": text})), message, "{text}");
    }
    for text in
        ["<a></b>", "<a", "<a x=1 x=2/>", "<a x='1' x='2'/>", "<a>&#xD800;</a>", "<a x='&x;'/>", "<![CDATA[", "<!--", "</a>", "<?xml"]
    {
        let message = error("transform.xml_parse", json!({"text": text}));
        assert!(message.starts_with("INVALID_INPUT: "), "{text}: {message}");
    }
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    assert_eq!(error("transform.xml_parse", json!({"text": deep})), "LIMIT_EXCEEDED: the document nests deeper than 100 elements");
    let many = format!("<r>{}</r>", "<a b=''/>".repeat(1_000_000));
    assert_eq!(
        error("transform.xml_parse", json!({"text": many})),
        "LIMIT_EXCEEDED: the output is larger than 16 MiB; keep fewer items or fewer fields"
    );
}

#[test]
fn xml_is_written_so_that_it_reads_back() {
    for written in [
        json!({"a": null}),
        json!({"a": {"@x": "<&\"'>", "b": ["1", "x & y"], "c": {"d": "ü🌙"}}}),
        json!({"a": {"#text": "t", "b": null}}),
    ] {
        let text = value("transform.xml_format", json!({"value": written, "declaration": false}));
        assert_eq!(xml(text.as_str().unwrap()), written, "{text}");
    }
    assert_eq!(
        value("transform.xml_format", json!({"value": {"a": {"b": [1, true], "c": {"d": "x"}}}, "declaration": false, "indent": true})),
        json!("<a>\n  <b>1</b>\n  <b>true</b>\n  <c>\n    <d>x</d>\n  </c>\n</a>\n")
    );
    for (written, message) in [
        (json!({}), "INVALID_PARAMS: \"value\" must be an object with one field that is no list: the root element"),
        (json!({"a": 1, "b": 2}), "INVALID_PARAMS: \"value\" must be an object with one field that is no list: the root element"),
        (json!({"a b": 1}), "INVALID_INPUT: \"a b\" is no name of an element or attribute"),
        (json!({"a": {"@x=\"1\" y": 1}}), "INVALID_INPUT: \"x=\"1\" y\" is no name of an element or attribute"),
        (json!({"a": {"1": 1}}), "INVALID_INPUT: \"1\" is no name of an element or attribute"),
        (json!({"a": "\u{1}"}), "INVALID_INPUT: \"a\" holds '\\u{1}', which no XML can hold"),
        (json!({"a": {"@x": {}}}), "INVALID_INPUT: \"x\" must be text, a number, true or false"),
    ] {
        assert_eq!(error("transform.xml_format", json!({"value": written})), message);
    }
}

const PAGE: &str = r##"<!doctype html><html><head><title>T</title></head><body>
<div id="main" class="big box"><h2>One</h2><p lang="en-US">first <b>bold</b></p><p>second</p><p></p></div>
<ul class="list"><li data-n="1">a</li><li data-n="2" class="hot">b</li><li data-n="3">c<i>d</i></li></ul>
<a href="https://x.example/">out</a><a href="/in.PDF">in</a></body></html>"##;

#[test]
fn selectors_find_what_they_say() {
    for (selector, found) in [
        ("h2", json!(["One"])),
        ("#main > p", json!(["first bold", "second", ""])),
        (".big.box h2 + p", json!(["first bold"])),
        ("h2 ~ p:last-child", json!([""])),
        ("p:empty", json!([""])),
        ("li:nth-child(2n+1)", json!(["a", "cd"])),
        ("li:nth-child(even), h2", json!(["One", "b"])),
        ("li:nth-last-child(1)", json!(["cd"])),
        ("li:not(.hot):not([data-n='1'])", json!(["cd"])),
        ("li:nth-child(-n + 2)", json!(["a", "b"])),
        ("ul li:first-child", json!(["a"])),
        ("[lang|=en]", json!(["first bold"])),
        ("a[href^='https:']", json!(["out"])),
        ("a[href$='.pdf' i]", json!(["in"])),
        ("[class~=box] :is(h2, b)", json!(["One", "bold"])),
        ("body *:last-of-type > i", json!(["d"])),
        ("LI[DATA-N=\"2\"]", json!(["b"])),
        ("video", json!([])),
    ] {
        assert_eq!(value("transform.html_select", json!({"html": PAGE, "selector": selector})), found, "{selector}");
    }
    let take = |take: &str, all: bool| value("transform.html_select", json!({"html": PAGE, "selector": "a", "take": take, "all": all}));
    assert_eq!(take("@href", true), json!(["https://x.example/", "/in.PDF"]));
    assert_eq!(take("html", false), json!("<a href=\"https://x.example/\">out</a>"));
    assert_eq!(take("@title", false), json!(null));
    let records =
        json!({"html": PAGE, "selector": "li", "fields": {"n": "@data-n", "inner": "i", "markup": "i html", "all": ":not(b) @class"}});
    assert_eq!(value("transform.html_select", records)[2], json!({"n": "3", "inner": "d", "markup": "<i>d</i>", "all": null}));
    for (selector, message) in [
        ("a >", "the name of an element, #id, .class, [attribute] or :test is expected, at character 4"),
        ("a[", "the name of an attribute is expected, at character 3"),
        ("a[b='c]", "a quote is never closed, at character 5"),
        ("a:hover", ":hover is not known here, at character 8"),
        ("a:has(b)", ":has() is not known here, at character 7"),
        (":nth-child(x)", "a place such as 2, odd, 3n or 2n+1 is expected, at character 12"),
        ("a) b", "it goes on where it should end, at character 2"),
        ("a,,b", "the name of an element, #id, .class, [attribute] or :test is expected, at character 3"),
    ] {
        let got = error("transform.html_select", json!({"html": "", "selector": selector}));
        assert_eq!(got, format!("INVALID_PARAMS: \"selector\" is no selector: {message}"), "{selector}");
    }
    let deep = format!("{}a{}", ":not(".repeat(20), ")".repeat(20));
    let got = error("transform.html_select", json!({"html": "", "selector": deep}));
    assert!(got.contains("it nests too deeply"), "{got}");
}

#[test]
fn pages_become_text_and_markdown() {
    for (html, text) in [
        ("", ""),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a b\nc"),
        ("a<style>x</style><script>y</script><noscript>z</noscript>b &amp; &#252;", "ab & ü"),
        ("<div><div>a</div></div> <div> b </div>", "a\nb"),
        ("un<b>broken</b> <i> words </i>here", "unbroken words here"),
    ] {
        assert_eq!(value("transform.html_to_text", json!({"html": html})), json!(text), "{html}");
    }
    for (html, markdown) in [
        ("<h2>A</h2><p>b <em>c</em> <code>d</code></p>", "## A\n\nb *c* `d`"),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
        ("<blockquote>q</blockquote><hr>", "> q\n\n* * *"),
        ("<img src=\"/a.png\" alt=\"x\"><script>y</script>", "![x](/a.png)"),
        ("<pre><code>a\nb</code></pre>", "```\na\nb\n```"),
    ] {
        assert_eq!(value("transform.html_to_markdown", json!({"html": html})), json!(markdown), "{html}");
    }
    // Deeper than any stack: the tree is walked without recursion.
    let deep = format!("{}x{}", "<b>".repeat(20_000), "</b>".repeat(20_000));
    assert_eq!(value("transform.html_to_text", json!({"html": deep})), json!("x"));
    assert_eq!(value("transform.html_select", json!({"html": deep, "selector": "b b b:empty"})), json!([]));
}

#[test]
fn markdown_becomes_html_that_does_nothing() {
    let html = |markdown: &str| value("transform.markdown_to_html", json!({"markdown": markdown})).as_str().unwrap().to_owned();
    assert_eq!(
        html("| a |\n|---|\n| *b* |"),
        "<table><thead><tr><th>a</th></tr></thead><tbody>\n<tr><td><em>b</em></td></tr>\n</tbody></table>\n"
    );
    assert_eq!(html("- [x] ~~a~~"), "<ul>\n<li><input disabled=\"\" type=\"checkbox\" checked=\"\"/>\n<del>a</del></li>\n</ul>\n");
    for hostile in [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](java\tscript:alert(1))",
        "[a](&#106;avascript:alert(1))",
        "[a](<java\nscript:alert(1)>)",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "![a](vbscript:x)",
        "<javascript:alert(1)>",
        "[a]: javascript:alert(1)\n\n[a]",
        "[a](x \"\\\" onmouseover=alert(1)\")",
        "<div\nonload=alert(1)>",
    ] {
        let page = html(hostile).to_ascii_lowercase();
        for wrong in ["<script", "<img src=x", "href=\"j", "href=\"d", "src=\"v", "\" onmouseover", "<div"] {
            assert!(!page.contains(wrong), "{hostile}: {page}");
        }
    }
    assert_eq!(html("[a](/b?c:d) [e](mailto:f@g.h)"), "<p><a href=\"/b?c:d\">a</a> <a href=\"mailto:f@g.h\">e</a></p>\n");
    // Quadratic in other readers.
    for (part, times) in [("[", 50_000), ("*a ", 50_000), ("`", 50_000), ("> ", 5_000), ("<", 50_000)] {
        assert!(!html(&part.repeat(times)).is_empty());
    }
}

#[test]
fn templates_are_filled() {
    let fill =
        |template: &str, data: Value, html: bool| value("transform.template", json!({"template": template, "data": data, "html": html}));
    for (template, data, html, text) in [
        ("{{ a }} ${b} {{ c.d[0] }}", json!({"a": 1, "c": {"d": ["x"]}}), false, "1 ${b} x"),
        (
            "{% for i in items if i.n > 1 %}{{ loop.index }}:{{ i.n }} {% else %}none{% endfor %}",
            json!({"items": [{"n": 1}, {"n": 2}]}),
            false,
            "1:2 ",
        ),
        ("{% if a %}yes{% else %}no{% endif %}!\n", json!({"a": false}), false, "no!\n"),
        ("{{ a }}", json!({"a": "<b>"}), true, "&lt;b&gt;"),
        ("{{ a }}", json!({"a": "<b>"}), false, "<b>"),
        ("{{ a | safe }}", json!({"a": "<b>"}), true, "<b>"),
        ("{{ a | upper }} {{ b | default('x') }} {{ l | join(', ') }}", json!({"a": "ü", "l": [1, 2]}), false, "Ü x 1, 2"),
        ("{{ big }} {{ f }}", json!({"big": u64::MAX, "f": 0.5}), false, "18446744073709551615 0.5"),
    ] {
        assert_eq!(fill(template, data, html), json!(text), "{template}");
    }
    for (template, message) in [
        ("a\n{{ missing }}", "INVALID_INPUT: line 2: undefined value"),
        ("{% for %}", "INVALID_PARAMS: \"template\": line 1: syntax error"),
        ("{% include 'x' %}", "INVALID_PARAMS: \"template\": line 1: syntax error"),
        ("{{ 1 / 0 }}", "INVALID_INPUT: line 1: "),
        ("{{ x.__class__ }}", "INVALID_INPUT: line 1: undefined value"),
    ] {
        let got = error("transform.template", json!({"template": template, "data": {"x": {}}}));
        assert!(got.starts_with(message), "{template}: {got}");
    }
    let large = "{% for a in range(10000) %}{% for b in range(10000) %}xxxxxxxxxx{% endfor %}{% endfor %}";
    assert_eq!(
        error("transform.template", json!({"template": large})),
        "LIMIT_EXCEEDED: the output is larger than 16 MiB; keep fewer items or fewer fields"
    );
}
