"""Still faces (FER2013, CK+48): readers, and the training of face networks on them."""
