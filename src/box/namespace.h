/* Within the room: entering namespaces, by system calls only. */
#ifndef GK_BOX_NAMESPACE_H
#define GK_BOX_NAMESPACE_H

/* Filled before the fork: user and group of the caller become root within. */
struct box_maps {
	char user[32], group[32];
};

void gk_box_maps_fill(struct box_maps *maps);
/* gk_namespace bits; tmp_folder (may be NULL) becomes a private tmpfs in a mount namespace. -1 with errno. */
int gk_box_namespaces(unsigned bits, const struct box_maps *maps, const char *tmp_folder);

#endif
