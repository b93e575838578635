"""Early exit by confidence: an example leaves a network at the first exit that is sure enough of its answer.

Teerapittayanon et al., BranchyNet (arXiv 1709.01686); Kaya et al., Shallow-Deep Networks (arXiv 1810.07052); Huang et
al., Multi-Scale Dense Networks (arXiv 1703.09844).
"""
