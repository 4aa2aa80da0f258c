//! An HTML document as a flat list of nodes: walked without recursion, however deep a page nests.

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document, serialize};
use markup5ever_rcdom::{Handle, NodeData, RcDom, SerializableHandle};

pub(super) struct Tree {
    /// In the order of the document.
    pub nodes: Vec<Node>,
    handles: Vec<Handle>,
    /// The nodes hold each other; kept until the end.
    _dom: RcDom,
}

pub(super) struct Node {
    pub parent: Option<usize>,
    pub children: Vec<usize>,
    pub kind: Kind,
    /// Its place among the elements of its parent, from 0.
    pub place: usize,
}

pub(super) enum Kind {
    Element { name: String, attributes: Vec<(String, String)> },
    Text(String),
    Other,
}

impl Node {
    pub(super) fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Element { name, .. } => Some(name),
            _ => None,
        }
    }

    pub(super) fn attribute(&self, wanted: &str) -> Option<&str> {
        match &self.kind {
            Kind::Element { attributes, .. } => attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str()),
            _ => None,
        }
    }
}

impl Tree {
    pub(super) fn parse(html: &str) -> Tree {
        let dom = parse_document(RcDom::default(), ParseOpts::default()).one(html);
        let mut tree = Tree { nodes: Vec::new(), handles: Vec::new(), _dom: dom };
        let mut open = vec![(tree._dom.document.clone(), None)];
        while let Some((handle, parent)) = open.pop() {
            let index = tree.nodes.len();
            let kind = match &handle.data {
                NodeData::Element { name, attrs, .. } => Kind::Element {
                    name: name.local.to_string(),
                    attributes: attrs.borrow().iter().map(|attr| (attr.name.local.to_string(), attr.value.to_string())).collect(),
                },
                NodeData::Text { contents } => Kind::Text(contents.borrow().to_string()),
                _ => Kind::Other,
            };
            tree.nodes.push(Node { parent, children: Vec::new(), kind, place: 0 });
            if let Some(parent) = parent {
                let parent: usize = parent;
                tree.nodes[parent].children.push(index);
            }
            open.extend(handle.children.borrow().iter().rev().map(|child| (child.clone(), Some(index))));
            tree.handles.push(handle);
        }
        for parent in 0..tree.nodes.len() {
            let mut place = 0;
            for at in 0..tree.nodes[parent].children.len() {
                let child = tree.nodes[parent].children[at];
                if tree.nodes[child].name().is_some() {
                    tree.nodes[child].place = place;
                    place += 1;
                }
            }
        }
        tree
    }

    /// The elements among its children.
    pub(super) fn elements(&self, node: usize) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.nodes[node].children.iter().copied().filter(|child| self.nodes[*child].name().is_some())
    }

    /// Whether `node` is `above` or lies in it.
    pub(super) fn within(&self, node: usize, above: usize) -> bool {
        std::iter::successors(Some(node), |node| self.nodes[*node].parent).any(|node| node == above)
    }

    pub(super) fn html(&self, node: usize) -> String {
        let mut bytes = Vec::new();
        let options = html5ever::serialize::SerializeOpts {
            traversal_scope: html5ever::serialize::TraversalScope::IncludeNode,
            ..html5ever::serialize::SerializeOpts::default()
        };
        // Memory takes everything.
        serialize(&mut bytes, &SerializableHandle::from(self.handles[node].clone()), options).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
