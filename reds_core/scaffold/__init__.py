"""`reds new`: the templates of plugin packages, and how a package is made from them."""
