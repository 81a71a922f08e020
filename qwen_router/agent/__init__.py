"""Tools as a graph, agents over them, and the Model Context Protocol in both directions."""
