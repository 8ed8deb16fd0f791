"""Who this node is, and who the others are, as the control table says."""
