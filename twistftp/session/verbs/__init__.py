"""The verbs, a family a file; :data:`twistftp.session.verbs.table.VERBS` gathers them."""
