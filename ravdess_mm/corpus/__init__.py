"""Files, their names, the catalog of clips and the actor-disjoint splits."""
