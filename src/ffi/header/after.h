#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* CONEX_CONEX_H */
